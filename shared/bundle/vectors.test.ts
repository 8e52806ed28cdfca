import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeVectors, encodeVectors } from './vectors.ts'

const selfTestCase = fc.record({
  name: fc.string(),
  features: fc.float32Array(),
  hidden: fc.uint8Array({ max: 1 }),
  logits: fc.array(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((z) => z + 0),
    { minLength: 1 },
  ),
})

test('what is encoded comes back, bit for bit', () => {
  fc.assert(
    fc.property(fc.array(selfTestCase, { minLength: 1, maxLength: 5 }), (cases) => {
      expect(decodeVectors(encodeVectors(cases))).toEqual({ ok: true, value: cases })
    }),
  )
})

test('zeros and few levels take little room', () => {
  const features = Float32Array.from({ length: 10_000 }, (_, i) => (i < 5000 ? 0 : (i % 7) / 7))
  expect(encodeVectors([{ name: 'a', features, hidden: new Uint8Array(100), logits: [1] }]).length).toBeLessThan(2000)
})

const withFeatures = (...features: Buffer[]): Buffer =>
  Buffer.from(
    JSON.stringify({
      schema: 'vectors/1',
      cases: features.map((bytes) => ({ name: 'a', features: bytes.toString('base64'), hidden: '', logits: [0] })),
    }),
  )

test('what is no vector file is named, and no few bytes become many', () => {
  const zeros = (bytes: number) => deflateRawSync(Buffer.alloc(bytes))
  const cases: readonly (readonly [Buffer, RegExp])[] = [
    [Buffer.from('{'), /./],
    [Buffer.from('{"schema":"vectors/2","cases":[]}'), /schema/],
    [withFeatures(Buffer.from('not deflated')), /a: features are not deflated/],
    [withFeatures(zeros(4096).subarray(0, -2)), /a: features are not deflated/],
    [withFeatures(zeros(6)), /6 bytes are not float32/],
    [withFeatures(zeros((16 << 20) + 4)), /more than 16777216 bytes/],
    [withFeatures(...new Array<Buffer>(5).fill(zeros(16 << 20))), /all cases are more than 67108864 bytes/],
  ]
  for (const [bytes, reason] of cases) {
    const decoded = decodeVectors(bytes)
    expect(decoded.ok ? '' : decoded.error).toMatch(reason)
  }
})
