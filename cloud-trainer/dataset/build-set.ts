/** From a data set as it was read to what a model is trained on: fitted specs, tokens, labels, and its hash. */
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { tokenize } from '#shared/tokens/tokenize.ts'
import type { MemoryExamples, MemorySet } from '../model/training-set.ts'
import { fitSpecs } from './fit-specs.ts'
import { hashOf } from './hash-of.ts'
import type { DatasetWarning, Part, RawExample, RawSet } from './raw-set.ts'

export type BuildOptions = {
  /** Those of a model that goes on learning, or is measured on other data; fitted to the training part when absent. */
  readonly specs?: readonly ModalitySpec[]
  readonly onWarning?: (warning: DatasetWarning) => void
}

export const buildTrainingSet = (raw: RawSet, { onWarning, ...options }: BuildOptions = {}): MemorySet => {
  const specs = options.specs ?? fitSpecs(raw.templates, raw.examples, onWarning)
  const layout = layoutOf(specs)
  const examplesOf = (part: Part): MemoryExamples => {
    const chosen = raw.examples.filter((example) => example.part === part)
    const labels = new Float32Array(chosen.length * raw.labels.length)
    for (const [i, example] of chosen.entries()) labels.set(example.labels, i * raw.labels.length)
    const tokens = (example: RawExample) => tokenize(specs, layout, example.readings, example.window)
    return { ids: chosen.map((example) => example.id), rows: chosen.map(tokens), labels }
  }
  const test = examplesOf('test')
  return {
    ...(raw.task === undefined ? {} : { task: raw.task }),
    specs,
    layout,
    labels: raw.labels,
    train: examplesOf('train'),
    validation: examplesOf('validation'),
    test: test.ids.length === 0 ? null : test,
    hash: hashOf(raw),
  }
}
