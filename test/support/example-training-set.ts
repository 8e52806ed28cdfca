/** Small training sets whose truth is known: labels follow hidden factors that each modality shows with its own noise. */

import type { MemoryExamples, MemorySet } from '#cloud/model/training-set.ts'
import { sha256Hex } from '#shared/bundle/hash.ts'
import type { Task } from '#shared/domain/task.ts'
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'

type ExampleModality = {
  readonly name: string
  readonly tokens: number
  /** Standard deviation of what is added to each factor, whose own is 1. */
  readonly noise: number
  /** Share of observations in which it is missing. */
  readonly missing?: number
}

export type ExampleSetOptions = {
  /** Multi-label when absent. */
  readonly task?: Task
  readonly modalities: readonly ExampleModality[]
  readonly labels: number
  readonly train: number
  readonly validation: number
  readonly seed: number
}

/** Every modality is one block of periodic tokens with a linear each, as tables have. */
const layoutOf = (modalities: readonly ExampleModality[]): TokenLayout => {
  const slots = modalities.flatMap(({ name, tokens }, m) =>
    Array.from({ length: tokens }, (_, i) => ({ name: `${name}.${i}`, modality: m, block: m, group: i })),
  )
  return {
    modalities: modalities.map(({ name }) => name),
    blocks: modalities.map(({ name, tokens }) => ({ name, encoding: 'periodic', groups: tokens, features: 1 })),
    slots: slots.map((slot, offset) => ({ ...slot, offset })),
    featureCount: slots.length,
  }
}

/** One factor for each label; a label is present where its factor is above 0, a class where it is the largest. */
const examplesOf = (options: ExampleSetOptions, part: 'train' | 'validation'): MemoryExamples => {
  const random = randomStream(options.seed, part)
  const count = options[part]
  const labels = new Float32Array(count * options.labels)
  const rows = Array.from({ length: count }, (_, i): TokenSet => {
    const factors = Array.from({ length: options.labels }, random.normal)
    labels.set(
      factors.map((factor) => (factor > (options.task === 'single-label' ? second(factors) : 0) ? 1 : 0)),
      i * options.labels,
    )
    const shown = options.modalities.flatMap(({ tokens, noise, missing = 0 }) => {
      const isMissing = random.uniform() < missing
      return Array.from({ length: tokens }, (_, t) => ({
        value: factors[t % factors.length]! + noise * random.normal(),
        isMissing,
      }))
    })
    return {
      features: Float32Array.from(shown, ({ value, isMissing }) => (isMissing ? 0 : value)),
      hidden: Uint8Array.from(shown, ({ isMissing }) => (isMissing ? 1 : 0)),
    }
  })
  return { ids: rows.map((_, i) => `${part}-${i}`), rows, labels }
}

const second = (factors: readonly number[]): number => factors.toSorted((a, b) => b - a)[1]!

export const exampleTrainingSet = (options: ExampleSetOptions): MemorySet => ({
  ...(options.task === undefined ? {} : { task: options.task }),
  specs: options.modalities.map(({ name, tokens }) => ({
    kind: 'tabular',
    name,
    variables: Array.from({ length: tokens }, (_, i) => ({ type: 'number', name: `${i}`, mean: 0, deviation: 1 })),
  })),
  layout: layoutOf(options.modalities),
  labels: Array.from({ length: options.labels }, (_, c) => ({ name: `species ${c}`, taxonId: null })),
  train: examplesOf(options, 'train'),
  validation: examplesOf(options, 'validation'),
  test: null,
  hash: sha256Hex(JSON.stringify(options)),
})
