/** A process with a model that fits its manifest. */
import type { Manifest } from '#shared/bundle/manifest.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { assertNever } from '#shared/std/assert.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { InferenceError } from './inference-error.ts'
import { type InferenceProcess, type ProcessOptions, startProcess } from './inference-process.ts'
import { interfaceDifference } from './interface.ts'

/** Beyond it, attention over all tokens of one observation takes gigabytes. */
const MAX_TOKENS = 16_384
const MAX_FEATURES = 1 << 24

/** Tokens and numbers of one observation, from the sizes alone. */
const sizeOf = (spec: ModalitySpec): readonly [tokens: number, features: number] => {
  switch (spec.kind) {
    case 'tabular':
      return [
        spec.variables.length,
        spec.variables.reduce((n, v) => n + (v.type === 'category' ? v.categories.length : 1), 0),
      ]
    case 'series': {
      const tokens = spec.variables.length * spec.periods
      return [tokens, tokens * spec.stepsPerPeriod]
    }
    case 'image':
      return [
        (spec.width / spec.patch) * (spec.height / spec.patch) * (spec.bands?.length ?? 1),
        spec.width * spec.height * spec.channels,
      ]
    case 'audio':
      return [
        (spec.frames / spec.patchFrames) * (spec.frontEnd.bands / spec.patchBands),
        spec.frames * spec.frontEnd.bands,
      ]
    case 'location':
      return [spec.parts.length, spec.parts.length]
    case 'embedding':
      return [1, spec.size]
    default:
      return assertNever(spec)
  }
}

/** Throws InferenceError `load` when no station could hold such tokens, or when the specs contradict themselves. */
export const layoutFor = ({ modalities }: Manifest): TokenLayout => {
  const sizes = modalities.map(sizeOf)
  const [tokens, features] = [0, 1].map((i) => sizes.reduce((sum, size) => sum + size[i]!, 0))
  if (!(tokens! <= MAX_TOKENS && features! <= MAX_FEATURES)) {
    throw new InferenceError('load', `${tokens} tokens of ${features} numbers in one observation`)
  }
  try {
    return layoutOf(modalities)
  } catch (cause) {
    throw new InferenceError('load', cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/** Throws InferenceError `load`, or `closed` when the signal aborts. */
export const openModel = async (
  manifest: Manifest,
  layout: TokenLayout,
  options: ProcessOptions,
  signal?: AbortSignal,
): Promise<InferenceProcess> => {
  const model = await startProcess(options, signal)
  const difference = interfaceDifference(model.graph, manifest, layout)
  if (difference === null) return model
  await model[Symbol.asyncDispose]()
  throw new InferenceError('load', difference)
}
