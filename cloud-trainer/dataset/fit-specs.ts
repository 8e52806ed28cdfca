/**
 * Means, deviations and categories from the training part alone (method.md §5.2): tables and embeddings by number,
 * series by variable, images (value / 255) by channel, sound (in dB) as a whole.
 *
 * A deviation is the training part's standard deviation (of the population) + 1e-4 (after MaskSDM, which keeps tiny
 * deviations from blowing noise up). What is always the same gets deviation 1, so that it becomes 0 and a later
 * surprise stays in its own unit. What never occurs in training gets mean 0 and deviation 1. Both are warned of.
 */
import type { ModalitySpec, ScaledVariable, TabularVariable } from '#shared/domain/modality.ts'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { levelToDb } from '#shared/tokens/log-mel.ts'
import { type Moments, momentsOf } from './moments.ts'
import type { DatasetWarning, ModalityTemplate, RawExample, TabularTemplate } from './raw-set.ts'

type Warn = (warning: DatasetWarning) => void
type ContentOf<K extends ReadingContent['kind']> = Extract<ReadingContent, { kind: K }>

/** Every reading of the training part counts once, also when an observation has several of a modality. */
export const fitSpecs = (
  templates: readonly ModalityTemplate[],
  examples: readonly RawExample[],
  onWarning: Warn = () => undefined,
): readonly ModalitySpec[] => templates.map((template) => fitOne(template, examples, onWarning))

const fitOne = (template: ModalityTemplate, examples: readonly RawExample[], warn: Warn): ModalitySpec => {
  const { name } = template
  switch (template.kind) {
    case 'tabular':
      return { ...template, variables: template.variables.map((it) => fitVariable(name, it, examples, warn)) }
    case 'series': {
      const variables = template.variables.map((variable) => {
        const moments = momentsOf()
        for (const content of training(examples, name, 'series')) {
          if (content.stepMs === template.stepMs)
            for (const value of content.variables[variable] ?? []) moments.add(value)
        }
        return { name: variable, ...scaleOf(moments, `${name}.${variable}`, warn) }
      })
      return { ...template, variables }
    }
    case 'image': {
      const channels = Array.from({ length: template.channels }, momentsOf)
      for (const { width, height, pixels } of training(examples, name, 'image')) {
        if (width !== template.width || height !== template.height) continue
        for (let i = 0; i < pixels.length; i++) channels[i % channels.length]!.add(pixels[i]! / 255)
      }
      return { ...template, ...scalesOf(channels, name, warn) }
    }
    case 'audio': {
      const moments = momentsOf()
      const values = template.frames * template.frontEnd.bands
      for (const { levels } of training(examples, name, 'audio')) {
        for (let i = 0; i < Math.min(values, levels.length); i++) moments.add(levelToDb(levels[i]!))
      }
      return { ...template, ...scaleOf(moments, name, warn) }
    }
    case 'location':
      return template
    case 'embedding': {
      const dimensions = Array.from({ length: template.size }, momentsOf)
      for (const { encoder, vector } of training(examples, name, 'embedding')) {
        if (encoder !== template.encoder || vector.length !== template.size) continue
        for (const [i, value] of vector.entries()) dimensions[i]!.add(value)
      }
      return { ...template, ...scalesOf(dimensions, name, warn) }
    }
  }
}

function* contentsOf<K extends ReadingContent['kind']>(
  examples: readonly RawExample[],
  modality: string,
  kind: K,
): Generator<{ readonly example: RawExample; readonly content: ContentOf<K> }> {
  for (const example of examples) {
    for (const { modality: own, content } of example.readings) {
      if (own === modality && content.kind === kind) yield { example, content: content as ContentOf<K> }
    }
  }
}

function* training<K extends ReadingContent['kind']>(
  examples: readonly RawExample[],
  modality: string,
  kind: K,
): Generator<ContentOf<K>> {
  for (const { example, content } of contentsOf(examples, modality, kind)) if (example.part === 'train') yield content
}

const fitVariable = (
  modality: string,
  variable: TabularTemplate,
  examples: readonly RawExample[],
  warn: Warn,
): TabularVariable => {
  const { name } = variable
  if (variable.type === 'category') return fitCategories(modality, variable, examples, warn)
  const moments = momentsOf()
  for (const { values } of training(examples, modality, 'scalars')) moments.add(values[name])
  return { type: 'number', name, ...scaleOf(moments, `${modality}.${name}`, warn) }
}

/** Codes that only occur outside the training part hide their token, since nothing is known about them. */
const fitCategories = (
  modality: string,
  { name, categories }: Extract<TabularTemplate, { type: 'category' }>,
  examples: readonly RawExample[],
  warn: Warn,
): TabularVariable => {
  const subject = `${modality}.${name}`
  const known = new Set(categories ?? [])
  if (categories === null) {
    for (const { values } of training(examples, modality, 'scalars')) {
      const value = values[name]
      if (value !== undefined && value !== null) known.add(value)
    }
  }
  if (known.size === 0) {
    warn({ code: 'never-present', subject, count: 1, detail: 'no category occurs in the training part' })
    known.add(0)
  }
  let unknown = 0
  for (const { content } of contentsOf(examples, modality, 'scalars')) {
    const value = content.values[name]
    if (value !== undefined && value !== null && !known.has(value)) unknown++
  }
  if (unknown > 0) {
    warn({ code: 'unknown-category', subject, count: unknown, detail: 'read as missing: not in the training part' })
  }
  return { type: 'category', name, categories: categories ?? [...known].sort((a, b) => a - b) }
}

const GUARD = 1e-4

const scaleOf = (moments: Moments, subject: string, warn: Warn): Pick<ScaledVariable, 'mean' | 'deviation'> => {
  const { count, mean, deviation, isConstant } = moments.end()
  if (count === 0) {
    warn({ code: 'never-present', subject, count: 1, detail: 'no value in the training part' })
    return { mean: 0, deviation: 1 }
  }
  if (isConstant) {
    warn({ code: 'constant-variable', subject, count, detail: `always ${mean} in the training part` })
    return { mean, deviation: 1 }
  }
  return { mean, deviation: deviation + GUARD }
}

const scalesOf = (
  all: readonly Moments[],
  name: string,
  warn: Warn,
): { readonly mean: readonly number[]; readonly deviation: readonly number[] } => {
  const scales = all.map((moments, i) => scaleOf(moments, `${name}[${i}]`, warn))
  return { mean: scales.map((scale) => scale.mean), deviation: scales.map((scale) => scale.deviation) }
}
