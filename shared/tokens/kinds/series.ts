/**
 * Time series: one token per (variable, period), oldest period first, one linear per variable that all its
 * periods share. The last step of a reading fills the last place; a shorter reading leaves older tokens
 * hidden, a longer one loses its oldest steps. A token needs all its values. Each variable is taken from
 * the newest reading of the right step that has a number of it; readings are not spliced.
 */
import type { ModalitySpec, ScaledVariable } from '#shared/domain/modality.ts'
import { assert } from '#shared/std/assert.ts'
import { type ContentOf, hiddenTokens, isNumber, type KindLayout, type Token } from './kind.ts'

type SeriesSpec = Extract<ModalitySpec, { kind: 'series' }>

export const seriesLayout = (spec: SeriesSpec): KindLayout => {
  const names = spec.variables.map(({ name }) => name)
  assert(new Set(names).size === names.length, 'variables of a series differ in name', { modality: spec.name, names })
  return {
    blocks: [{ name: 'period', encoding: 'linear', groups: names.length, features: spec.stepsPerPeriod }],
    slots: names.flatMap((name, group) =>
      Array.from({ length: spec.periods }, (_, period) => ({ name: `.${name}[${period}]`, block: 0, group })),
    ),
  }
}

const tokenOf = (values: readonly (number | null)[], from: number, spec: SeriesSpec, scale: ScaledVariable): Token => {
  if (from < 0) return null
  const token = new Float64Array(spec.stepsPerPeriod)
  for (let i = 0; i < token.length; i++) {
    const value = values[from + i]
    if (!isNumber(value)) return null
    token[i] = (value - scale.mean) / scale.deviation
  }
  return token
}

export const seriesTokens = (spec: SeriesSpec, newestFirst: readonly ContentOf<'series'>[]): Token[] => {
  const usable = newestFirst.filter(({ stepMs }) => stepMs === spec.stepMs)
  return spec.variables.flatMap((variable) => {
    const values = usable
      .map(({ variables }) => variables[variable.name])
      .find((candidate) => Array.isArray(candidate) && candidate.some(isNumber))
    if (values === undefined) return hiddenTokens(spec.periods)
    const first = values.length - spec.periods * spec.stepsPerPeriod
    return Array.from({ length: spec.periods }, (_, period) =>
      tokenOf(values, first + period * spec.stepsPerPeriod, spec, variable),
    )
  })
}
