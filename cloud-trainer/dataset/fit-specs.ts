/**
 * Means, deviations and categories from the training part alone (our choice): tables and embeddings by number,
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

/** Sees the examples of a set one after the other, and then knows the specs. */
export type Fitting = {
  readonly add: (example: Pick<RawExample, 'part' | 'readings'>) => void
  readonly end: (onWarning?: Warn) => readonly ModalitySpec[]
}

/** Every reading of the training part counts once, also when an observation has several of a modality. */
export const openFitting = (templates: readonly ModalityTemplate[]): Fitting => {
  const fits = templates.map((template) => ({ name: template.name, ...openOne(template) }))
  return {
    add: ({ part, readings }) => {
      for (const { modality, content } of readings) {
        for (const { name, add } of fits) if (name === modality) add(content, part === 'train')
      }
    },
    end: (onWarning = () => undefined) => fits.map(({ end }) => end(onWarning)),
  }
}

export const fitSpecs = (
  templates: readonly ModalityTemplate[],
  examples: readonly RawExample[],
  onWarning?: Warn,
): readonly ModalitySpec[] => {
  const fitting = openFitting(templates)
  for (const example of examples) fitting.add(example)
  return fitting.end(onWarning)
}

/** Of one modality, or of one variable of it. */
type Fit<Content, Fitted> = {
  readonly add: (content: Content, isTraining: boolean) => void
  readonly end: (warn: Warn) => Fitted
}

const openOne = (template: ModalityTemplate): Fit<ReadingContent, ModalitySpec> => {
  const { name } = template
  switch (template.kind) {
    case 'tabular': {
      const variables = template.variables.map((it) => openVariable(name, it))
      return ofKind('scalars', {
        add: (content, isTraining) => {
          for (const variable of variables) variable.add(content, isTraining)
        },
        end: (warn) => ({ ...template, variables: variables.map(({ end }) => end(warn)) }),
      })
    }
    case 'series': {
      const variables = template.variables.map((variable) => ({ variable, moments: momentsOf() }))
      return ofKind('series', {
        add: (content, isTraining) => {
          if (!isTraining || content.stepMs !== template.stepMs) return
          for (const { variable, moments } of variables) {
            for (const value of content.variables[variable] ?? []) moments.add(value)
          }
        },
        end: (warn) => ({
          ...template,
          variables: variables.map(({ variable, moments }) => ({
            name: variable,
            ...scaleOf(moments, `${name}.${variable}`, warn),
          })),
        }),
      })
    }
    case 'image': {
      const channels = Array.from({ length: template.channels }, momentsOf)
      return ofKind('image', {
        add: ({ width, height, pixels }, isTraining) => {
          if (!isTraining || width !== template.width || height !== template.height) return
          for (let i = 0; i < pixels.length; i++) channels[i % channels.length]!.add(pixels[i]! / 255)
        },
        end: (warn) => ({ ...template, ...scalesOf(channels, name, warn) }),
      })
    }
    case 'audio': {
      const moments = momentsOf()
      const values = template.frames * template.frontEnd.bands
      return ofKind('audio', {
        add: ({ levels }, isTraining) => {
          if (!isTraining) return
          for (let i = 0; i < Math.min(values, levels.length); i++) moments.add(levelToDb(levels[i]!))
        },
        end: (warn) => ({ ...template, ...scaleOf(moments, name, warn) }),
      })
    }
    case 'location':
      return { add: () => undefined, end: () => template }
    case 'embedding': {
      const dimensions = Array.from({ length: template.size }, momentsOf)
      return ofKind('embedding', {
        add: ({ encoder, vector }, isTraining) => {
          if (!isTraining || encoder !== template.encoder || vector.length !== template.size) return
          for (const [i, value] of vector.entries()) dimensions[i]!.add(value)
        },
        end: (warn) => ({ ...template, ...scalesOf(dimensions, name, warn) }),
      })
    }
  }
}

const ofKind = <K extends ReadingContent['kind'], Fitted>(
  kind: K,
  { add, end }: Fit<ContentOf<K>, Fitted>,
): Fit<ReadingContent, Fitted> => ({
  add: (content, isTraining) => {
    if (content.kind === kind) add(content as ContentOf<K>, isTraining)
  },
  end,
})

const openVariable = (modality: string, variable: TabularTemplate): Fit<ContentOf<'scalars'>, TabularVariable> => {
  const { name } = variable
  if (variable.type === 'category') return openCategories(modality, variable)
  const moments = momentsOf()
  return {
    add: ({ values }, isTraining) => {
      if (isTraining) moments.add(values[name])
    },
    end: (warn) => ({ type: 'number', name, ...scaleOf(moments, `${modality}.${name}`, warn) }),
  }
}

/** Codes that only occur outside the training part hide their token, since nothing is known about them. */
const openCategories = (
  modality: string,
  { name, categories }: Extract<TabularTemplate, { type: 'category' }>,
): Fit<ContentOf<'scalars'>, TabularVariable> => {
  const subject = `${modality}.${name}`
  const known = new Set(categories ?? [])
  const counts = new Map<number, number>()
  return {
    add: ({ values }, isTraining) => {
      const value = values[name]
      if (value === undefined || value === null) return
      counts.set(value, (counts.get(value) ?? 0) + 1)
      if (isTraining && categories === null) known.add(value)
    },
    end: (warn) => {
      if (known.size === 0) {
        warn({ code: 'never-present', subject, count: 1, detail: 'no category occurs in the training part' })
        known.add(0)
      }
      let unknown = 0
      for (const [value, count] of counts) if (!known.has(value)) unknown += count
      if (unknown > 0) {
        warn({ code: 'unknown-category', subject, count: unknown, detail: 'read as missing: not in the training part' })
      }
      return { type: 'category', name, categories: categories ?? [...known].sort((a, b) => a - b) }
    },
  }
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
