/** Whether a model computes here what its trainer computed. Pure: logits in, the first difference out. */
import type { Manifest } from '#shared/bundle/manifest.ts'
import type { SelfTestCase } from '#shared/bundle/vectors.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'

type Tolerance = Manifest['tolerance']

/** The label that is farther off than absolute + relative × |expected|, or null. NaN is always off. */
export const firstDifference = (
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  { absolute, relative }: Tolerance,
): { readonly label: number; readonly difference: number; readonly allowed: number } | null => {
  for (let label = 0; label < expected.length; label++) {
    const difference = Math.abs(found[label]! - expected[label]!)
    const allowed = absolute + relative * Math.abs(expected[label]!)
    if (!(difference <= allowed)) return { label, difference, allowed }
  }
  return null
}

/** Logits of one case, and whose they should be: "by the trainer", "alone". */
export type Pair = { readonly found: ArrayLike<number>; readonly expected: ArrayLike<number>; readonly whose: string }

/** Why logits differ beyond the manifest's tolerance, for people; null when they don't. */
export const describeDifference = (
  name: string,
  { labels, tolerance }: Pick<Manifest, 'labels' | 'tolerance'>,
  { found, expected, whose }: Pair,
): string | null => {
  const first = firstDifference(found, expected, tolerance)
  if (first === null) return null
  const { label, difference, allowed } = first
  const digits = (x: number): string => x.toPrecision(6)
  return (
    `case "${name}", label "${labels[label]!.name}": ${digits(found[label]!)} here, ${digits(expected[label]!)} ` +
    `${whose}, a difference of ${difference.toPrecision(2)} where ${allowed.toPrecision(2)} is allowed`
  )
}

/** Why the cases can't be fed to this model, or null. */
export const misfit = (
  cases: readonly SelfTestCase[],
  layout: TokenLayout,
  labels: Manifest['labels'],
): string | null => {
  for (const { name, features, hidden, logits } of cases) {
    if (features.length !== layout.featureCount) {
      return `case "${name}" has ${features.length} features, the model ${layout.featureCount}`
    }
    if (hidden.length !== layout.slots.length || hidden.some((bit) => bit > 1)) {
      return `case "${name}" has no mask of ${layout.slots.length} tokens`
    }
    if (logits.length !== labels.length) return `case "${name}" has ${logits.length} logits for ${labels.length} labels`
    // A value that no observation can hold would make a model look broken.
    for (const { block, offset } of layout.slots.filter((_, s) => hidden[s] === 0)) {
      const token = features.subarray(offset, offset + layout.blocks[block]!.features)
      if (!token.every(Number.isFinite)) return `case "${name}" has a visible token that is not finite`
    }
  }
  return null
}

/** The same cases with other values where they are hidden; nothing that a model computes may change. */
export const disturbHidden = ({ features, hidden }: SelfTestCase, layout: TokenLayout): Float32Array => {
  const disturbed = Float32Array.from(features)
  for (const [s, { block, offset }] of layout.slots.entries()) {
    if (hidden[s] === 0) continue
    for (let i = 0; i < layout.blocks[block]!.features; i++) disturbed[offset + i] = i % 2 === 0 ? Number.NaN : 1e30
  }
  return disturbed
}
