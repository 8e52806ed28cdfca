/**
 * From the readings of one observation to its tokens. Trainer and edge both use this code, in float64 until
 * the last step, so they see equal bits.
 *
 * Several readings of a modality: readings are ranked by time, newest first, those of unknown time last,
 * and those of equal time by id, so the order of arrival never matters. Tables take each variable's newest
 * number, series each variable's newest usable run, all other kinds the newest usable reading. A reading is
 * usable when it fits the spec (kind, size, step, front end, encoder); one that doesn't fit counts as absent.
 *
 * What is missing is hidden and its features are zero: null, NaN, infinite or beyond 1e10, an unknown
 * category, an absent modality, and whatever the spec's scaling carries out of float32.
 */
import type { ModalitySpec } from '#shared/domain/modality.ts'
import type { Reading, ReadingContent } from '#shared/domain/reading.ts'
import type { TimeWindow } from '#shared/domain/time.ts'
import { assert, assertNever } from '#shared/std/assert.ts'
import { audioTokens } from './kinds/audio.ts'
import { embeddingTokens } from './kinds/embedding.ts'
import { imageTokens } from './kinds/image.ts'
import type { ContentOf, Token } from './kinds/kind.ts'
import { locationTokens } from './kinds/location.ts'
import { seriesTokens } from './kinds/series.ts'
import { tabularTokens } from './kinds/tabular.ts'
import type { TokenLayout, TokenSet } from './layout.ts'

export type TokenReading = Pick<Reading, 'id' | 'modality' | 'content' | 'observedAtMs'>

/**
 * `layout` is layoutOf(specs). `readings` are those of the observation, each id once; those of modalities
 * that the model doesn't know are ignored. The window only dates season and time of day.
 */
export const tokenize = (
  specs: readonly ModalitySpec[],
  layout: TokenLayout,
  readings: readonly TokenReading[],
  window: TimeWindow,
): TokenSet => {
  const ranked = [...readings].sort(newestFirst)
  const tokens = specs.flatMap((spec) => {
    const contents = ranked.filter(({ modality }) => modality === spec.name).map(({ content }) => content)
    return tokensOf(spec, contents, window)
  })
  return written(layout, tokens)
}

const newestFirst = (a: TokenReading, b: TokenReading): number => {
  const [timeA, timeB] = [a.observedAtMs ?? -Infinity, b.observedAtMs ?? -Infinity]
  if (timeA !== timeB) return timeA > timeB ? -1 : 1
  if (a.id === b.id) return 0
  return a.id > b.id ? -1 : 1
}

const ofKind = <Kind extends ReadingContent['kind']>(
  contents: readonly ReadingContent[],
  kind: Kind,
): readonly ContentOf<Kind>[] => contents.filter((content): content is ContentOf<Kind> => content.kind === kind)

const tokensOf = (spec: ModalitySpec, contents: readonly ReadingContent[], window: TimeWindow): readonly Token[] => {
  switch (spec.kind) {
    case 'tabular':
      return tabularTokens(spec, ofKind(contents, 'scalars'))
    case 'series':
      return seriesTokens(spec, ofKind(contents, 'series'))
    case 'image':
      return imageTokens(spec, ofKind(contents, 'image'))
    case 'audio':
      return audioTokens(spec, ofKind(contents, 'audio'))
    case 'location':
      return locationTokens(spec, ofKind(contents, 'location'), window)
    case 'embedding':
      return embeddingTokens(spec, ofKind(contents, 'embedding'))
    default:
      return assertNever(spec)
  }
}

const written = ({ slots, featureCount }: TokenLayout, tokens: readonly Token[]): TokenSet => {
  assert(tokens.length === slots.length, 'the layout is that of the specs', {
    tokens: tokens.length,
    slots: slots.length,
  })
  const features = new Float32Array(featureCount)
  const hidden = new Uint8Array(slots.length).fill(1)
  for (const [i, token] of tokens.entries()) {
    if (token === null || !isFiniteInFloat32(token)) continue
    features.set(token, slots[i]!.offset)
    hidden[i] = 0
  }
  return { features, hidden }
}

const isFiniteInFloat32 = (token: ArrayLike<number>): boolean => {
  for (let i = 0; i < token.length; i++) if (!Number.isFinite(Math.fround(token[i]!))) return false
  return true
}
