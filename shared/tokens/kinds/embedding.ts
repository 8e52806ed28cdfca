/** Embeddings: the newest vector of the spec's encoder and size is one token. */
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { assert } from '#shared/std/assert.ts'
import { type ContentOf, isNumber, type KindLayout, type Token } from './kind.ts'

type EmbeddingSpec = Extract<ModalitySpec, { kind: 'embedding' }>

export const embeddingLayout = ({ name, size, mean, deviation }: EmbeddingSpec): KindLayout => {
  const values = { modality: name, size, means: mean.length, deviations: deviation.length }
  assert(mean.length === size && deviation.length === size, 'each number has mean and deviation', values)
  return {
    blocks: [{ name: 'vector', encoding: 'linear', groups: 1, features: size }],
    slots: [{ name: '', block: 0, group: 0 }],
  }
}

export const embeddingTokens = (spec: EmbeddingSpec, newestFirst: readonly ContentOf<'embedding'>[]): Token[] => {
  const found = newestFirst.find(
    ({ encoder, vector }) => encoder === spec.encoder && vector.length === spec.size && vector.every(isNumber),
  )
  return [found ? found.vector.map((value, i) => (value - spec.mean[i]!) / spec.deviation[i]!) : null]
}
