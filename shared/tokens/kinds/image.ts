/**
 * Images: one token per square patch, row by row, with all its channels interleaved as in the image. All
 * patches share one linear; identity vectors tell them apart. The newest image of the right size is used.
 */
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { assert } from '#shared/std/assert.ts'
import { type ContentOf, hiddenTokens, type KindLayout, type Token } from './kind.ts'

type ImageSpec = Extract<ModalitySpec, { kind: 'image' }>

export const imageLayout = (spec: ImageSpec): KindLayout => {
  const { name, width, height, channels, patch, mean, deviation } = spec
  const values = { modality: name, width, height, patch, channels, means: mean.length, deviations: deviation.length }
  assert(width % patch === 0 && height % patch === 0, 'patches tile the image', values)
  assert(mean.length === channels && deviation.length === channels, 'each channel has mean and deviation', values)
  const columns = width / patch
  return {
    blocks: [{ name: 'patch', encoding: 'linear', groups: 1, features: patch * patch * channels }],
    slots: Array.from({ length: (height / patch) * columns }, (_, i) => ({
      name: `[${Math.floor(i / columns)},${i % columns}]`,
      block: 0,
      group: 0,
    })),
  }
}

const patchAt = (spec: ImageSpec, pixels: Uint8Array, top: number, left: number): Token => {
  const { width, channels, patch, mean, deviation } = spec
  const token = new Float64Array(patch * patch * channels)
  let n = 0
  for (let y = top; y < top + patch; y++) {
    const row = (y * width + left) * channels
    for (let i = 0; i < patch * channels; i++) {
      const channel = i % channels
      token[n++] = (pixels[row + i]! / 255 - mean[channel]!) / deviation[channel]!
    }
  }
  return token
}

export const imageTokens = (spec: ImageSpec, newestFirst: readonly ContentOf<'image'>[]): Token[] => {
  const { width, height, channels, patch } = spec
  const columns = width / patch
  const count = columns * (height / patch)
  const image = newestFirst.find(
    (candidate) =>
      candidate.width === width &&
      candidate.height === height &&
      candidate.channels === channels &&
      candidate.pixels.length === width * height * channels,
  )
  if (!image) return hiddenTokens(count)
  return Array.from({ length: count }, (_, i) =>
    patchAt(spec, image.pixels, Math.floor(i / columns) * patch, (i % columns) * patch),
  )
}
