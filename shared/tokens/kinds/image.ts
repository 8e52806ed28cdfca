/**
 * Images: one token per square patch, row by row, with all its channels interleaved as in the image. All
 * patches share one linear; identity vectors tell them apart. Where the channels have names, each is a band with
 * its own tokens and its own linear, one band after the other. The newest image of the right size is used.
 */
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { assert } from '#shared/std/assert.ts'
import { type ContentOf, hiddenTokens, type KindLayout, type Token } from './kind.ts'

type ImageSpec = Extract<ModalitySpec, { kind: 'image' }>

export const imageLayout = (spec: ImageSpec): KindLayout => {
  const { name, width, height, channels, patch, mean, deviation, bands } = spec
  const values = { modality: name, width, height, patch, channels, means: mean.length, deviations: deviation.length }
  assert(width % patch === 0 && height % patch === 0, 'patches tile the image', values)
  assert(mean.length === channels && deviation.length === channels, 'each channel has mean and deviation', values)
  assert(bands === undefined || new Set(bands).size === channels, 'each channel has its own name', { ...values, bands })
  assert(bands === undefined || bands.length === channels, 'each name has its channel', { ...values, bands })
  const columns = width / patch
  const places = Array.from(
    { length: (height / patch) * columns },
    (_, i) => `[${Math.floor(i / columns)},${i % columns}]`,
  )
  const features = patch * patch
  return bands === undefined
    ? {
        blocks: [{ name: 'patch', encoding: 'linear', groups: 1, features: features * channels }],
        slots: places.map((place) => ({ name: place, block: 0, group: 0 })),
      }
    : {
        blocks: [{ name: 'patch', encoding: 'linear', groups: channels, features }],
        slots: bands.flatMap((band, group) => places.map((place) => ({ name: `.${band}${place}`, block: 0, group }))),
      }
}

type Corner = { readonly top: number; readonly left: number }

/** The channels from `first` on, as many as `count`, interleaved. */
const patchAt = (
  spec: ImageSpec,
  pixels: Uint8Array,
  { top, left }: Corner,
  { first, count }: { readonly first: number; readonly count: number },
): Token => {
  const { width, channels, patch, mean, deviation } = spec
  const token = new Float64Array(patch * patch * count)
  let n = 0
  for (let y = top; y < top + patch; y++) {
    for (let x = left; x < left + patch; x++) {
      const pixel = (y * width + x) * channels
      for (let channel = first; channel < first + count; channel++) {
        token[n++] = (pixels[pixel + channel]! / 255 - mean[channel]!) / deviation[channel]!
      }
    }
  }
  return token
}

export const imageTokens = (spec: ImageSpec, newestFirst: readonly ContentOf<'image'>[]): Token[] => {
  const { width, height, channels, patch, bands } = spec
  const columns = width / patch
  const corners = Array.from({ length: columns * (height / patch) }, (_, i) => ({
    top: Math.floor(i / columns) * patch,
    left: (i % columns) * patch,
  }))
  const parts = bands?.map((_, first) => ({ first, count: 1 })) ?? [{ first: 0, count: channels }]
  const image = newestFirst.find(
    (candidate) =>
      candidate.width === width &&
      candidate.height === height &&
      candidate.channels === channels &&
      candidate.pixels.length === width * height * channels,
  )
  if (!image) return hiddenTokens(parts.length * corners.length)
  return parts.flatMap((part) => corners.map((corner) => patchAt(spec, image.pixels, corner, part)))
}
