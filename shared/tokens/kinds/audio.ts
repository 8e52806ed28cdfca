/**
 * Sound: one token per patch of the log-mel picture, time by time, low bands first; within a patch frame by
 * frame. All patches share one linear. The newest recording made by the spec's front end is used, from its
 * start; patches that it doesn't fill are hidden.
 */
import type { ModalitySpec } from '#shared/domain/modality.ts'
import type { AudioFrontEnd } from '#shared/domain/reading.ts'
import { assert } from '#shared/std/assert.ts'
import { levelToDb } from '../log-mel.ts'
import { type ContentOf, hiddenTokens, type KindLayout, type Token } from './kind.ts'

type AudioSpec = Extract<ModalitySpec, { kind: 'audio' }>

export const audioLayout = ({ name, frontEnd, frames, patchFrames, patchBands }: AudioSpec): KindLayout => {
  const values = { modality: name, frames, bands: frontEnd.bands, patchFrames, patchBands }
  assert(frames % patchFrames === 0 && frontEnd.bands % patchBands === 0, 'patches tile the log-mel picture', values)
  const columns = frontEnd.bands / patchBands
  return {
    blocks: [{ name: 'patch', encoding: 'linear', groups: 1, features: patchFrames * patchBands }],
    slots: Array.from({ length: (frames / patchFrames) * columns }, (_, i) => ({
      name: `[${Math.floor(i / columns)},${i % columns}]`,
      block: 0,
      group: 0,
    })),
  }
}

const isSameFrontEnd = (a: AudioFrontEnd, b: AudioFrontEnd): boolean =>
  a.sampleRateHz === b.sampleRateHz &&
  a.fftSize === b.fftSize &&
  a.hopSize === b.hopSize &&
  a.bands === b.bands &&
  a.lowHz === b.lowHz &&
  a.highHz === b.highHz

const patchAt = (spec: AudioSpec, levels: Uint8Array, firstFrame: number, firstBand: number): Token => {
  const { frontEnd, patchFrames, patchBands, mean, deviation } = spec
  const token = new Float64Array(patchFrames * patchBands)
  let n = 0
  for (let frame = firstFrame; frame < firstFrame + patchFrames; frame++) {
    for (let band = firstBand; band < firstBand + patchBands; band++) {
      token[n++] = (levelToDb(levels[frame * frontEnd.bands + band]!) - mean) / deviation
    }
  }
  return token
}

export const audioTokens = (spec: AudioSpec, newestFirst: readonly ContentOf<'audio'>[]): Token[] => {
  const { frontEnd, frames, patchFrames, patchBands } = spec
  const columns = frontEnd.bands / patchBands
  const count = columns * (frames / patchFrames)
  const sound = newestFirst.find(
    (candidate) =>
      isSameFrontEnd(candidate.frontEnd, frontEnd) && candidate.levels.length === candidate.frames * frontEnd.bands,
  )
  if (!sound) return hiddenTokens(count)
  return Array.from({ length: count }, (_, i) => {
    const firstFrame = Math.floor(i / columns) * patchFrames
    const isFilled = firstFrame + patchFrames <= sound.frames
    return isFilled ? patchAt(spec, sound.levels, firstFrame, (i % columns) * patchBands) : null
  })
}
