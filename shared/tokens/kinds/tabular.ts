/**
 * Tables: one token per variable. Each variable takes its newest value among the readings, so a station
 * whose probes report one by one has them all. Numbers are standardized. Categories become one-hot rows,
 * padded with zeros to the longest list so that all of them share one block; a value outside its list hides.
 */
import type { ModalitySpec, TabularVariable } from '#shared/domain/modality.ts'
import { assert } from '#shared/std/assert.ts'
import type { TokenBlock } from '../layout.ts'
import { type ContentOf, isNumber, type KindLayout, type Token } from './kind.ts'

type TabularSpec = Extract<ModalitySpec, { kind: 'tabular' }>

/** Features of a category's token. */
const categoryWidth = ({ variables }: TabularSpec): number =>
  Math.max(0, ...variables.map((variable) => (variable.type === 'category' ? variable.categories.length : 0)))

export const tabularLayout = (spec: TabularSpec): KindLayout => {
  const names = spec.variables.map(({ name }) => name)
  assert(new Set(names).size === names.length, 'variables of a table differ in name', { modality: spec.name, names })
  const counts = { number: 0, category: 0 }
  const groups = spec.variables.map(({ type }) => counts[type]++)
  const numbers: TokenBlock = { name: 'number', encoding: 'periodic', groups: counts.number, features: 1 }
  const categories: TokenBlock = {
    name: 'category',
    encoding: 'linear',
    groups: counts.category,
    features: categoryWidth(spec),
  }
  const blocks = [numbers, categories].filter((block) => block.groups > 0)
  return {
    blocks,
    slots: spec.variables.map(({ name, type }, i) => ({
      name: `.${name}`,
      block: blocks.findIndex((block) => block.name === type),
      group: groups[i]!,
    })),
  }
}

const tokenOf = (variable: TabularVariable, value: number, width: number): Token => {
  if (variable.type === 'number') return [(value - variable.mean) / variable.deviation]
  const index = variable.categories.indexOf(value)
  return index === -1 ? null : Array.from({ length: width }, (_, i) => (i === index ? 1 : 0))
}

export const tabularTokens = (spec: TabularSpec, newestFirst: readonly ContentOf<'scalars'>[]): Token[] => {
  const width = categoryWidth(spec)
  return spec.variables.map((variable) => {
    const value = newestFirst.map(({ values }) => values[variable.name]).find(isNumber)
    return value === undefined ? null : tokenOf(variable, value, width)
  })
}
