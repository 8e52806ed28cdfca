import fc from 'fast-check'
import { expect, test } from 'vitest'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { EXAMPLE_SPECS } from '#test/support/model-bundle.ts'
import { describeDifference, disturbHidden, firstDifference, misfit } from './self-test.ts'

const layout = layoutOf(EXAMPLE_SPECS)
const tolerance = { absolute: 1e-4, relative: 1e-4 }
const labels = ['Strix aluco', 'Meles meles'].map((name) => ({ name, taxonId: null, threshold: 0.5 }))

test('logits agree within absolute + relative · |expected|, and beyond it they do not (property)', () => {
  const logit = fc.double({ min: -50, max: 50, noNaN: true })
  fc.assert(
    fc.property(
      fc.array(logit, { minLength: 1, maxLength: 6 }),
      fc.nat(),
      fc.double({ min: 0, max: 3 }),
      (z, at, k) => {
        const label = at % z.length
        const allowed = 1e-4 + 1e-4 * Math.abs(z[label]!)
        const found = z.map((x, i) => (i === label ? x + k * allowed : x))
        // Rounding of the sum decides at exactly the limit.
        fc.pre(Math.abs(k - 1) > 1e-6)
        expect(firstDifference(found, z, tolerance)?.label ?? null).toBe(k > 1 ? label : null)
      },
    ),
  )
})

test('what is no number is a difference, wherever it stands', () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    expect(firstDifference([0, bad], [0, 1], tolerance)).toMatchObject({ label: 1 })
  }
  expect(firstDifference([0, 1], [0, Number.NaN], tolerance)).toMatchObject({ label: 1 })
  expect(firstDifference([0], [0, 1], tolerance)).toMatchObject({ label: 1 })
})

test('a difference is told with case, label and numbers', () => {
  const pair = { found: [0.5, 1.25], expected: [0.5, 1.5], whose: 'by the trainer' }
  expect(describeDifference('audio alone', { labels, tolerance }, pair)).toBe(
    'case "audio alone", label "Meles meles": 1.25000 here, 1.50000 by the trainer, a difference of 0.25 where 0.00025 is allowed',
  )
  expect(describeDifference('audio alone', { labels, tolerance: { absolute: 0.3, relative: 0 } }, pair)).toBeNull()
})

const mask = fc.uint8Array({ min: 0, max: 1, minLength: layout.slots.length, maxLength: layout.slots.length })

test('disturbing changes every hidden number and no visible one (property)', () => {
  fc.assert(
    fc.property(mask, fc.double({ min: -9, max: 9, noNaN: true }), (hidden, value) => {
      const features = new Float32Array(layout.featureCount).fill(value)
      const disturbed = disturbHidden({ name: 'x', features, hidden, logits: [0, 0] }, layout)
      for (const [s, { block, offset }] of layout.slots.entries()) {
        const range = [offset, offset + layout.blocks[block]!.features] as const
        const same = disturbed.subarray(...range).map((x) => (x === features[0] ? 1 : 0))
        expect([...same]).toEqual(Array(same.length).fill(1 - hidden[s]!))
      }
    }),
  )
})

test('cases of the right sizes fit, whatever lies under their masks (property)', () => {
  fc.assert(
    fc.property(mask, (hidden) => {
      const features = disturbHidden(
        { name: 'x', features: new Float32Array(layout.featureCount), hidden, logits: [0, 0] },
        layout,
      )
      expect(misfit([{ name: 'x', features, hidden, logits: [0, 0] }], layout, labels)).toBeNull()
    }),
  )
})
