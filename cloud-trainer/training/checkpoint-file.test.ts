import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.ts'

const checkpoints = fc.record({
  generation: fc.integer({ min: 1 }),
  header: fc.jsonValue(),
  arrays: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.float32Array({ maxLength: 40 }), { maxKeys: 4 }),
})

test('what is written is read', () => {
  fc.assert(
    fc.property(checkpoints, (checkpoint) => {
      const decoded = decodeCheckpoint(encodeCheckpoint(checkpoint))
      expect(decoded.ok && decoded.value.generation).toBe(checkpoint.generation)
      expect(decoded.ok && decoded.value.header).toEqual(JSON.parse(JSON.stringify(checkpoint.header)))
      expect(decoded.ok && { ...decoded.value.arrays }).toEqual({ ...checkpoint.arrays })
    }),
  )
})

test('arrays lie on a boundary of 64 bytes', () => {
  const bytes = encodeCheckpoint({ generation: 1, header: { a: 'b' }, arrays: { y: Float32Array.of(1.5) } })
  expect((bytes.length - 32 - 4) % 64).toBe(0)
  expect(Buffer.from(bytes).readFloatLE(bytes.length - 36)).toBe(1.5)
})

test('a changed or missing byte is refused', () => {
  const whole = encodeCheckpoint({ generation: 3, header: { step: 5 }, arrays: { y: Float32Array.of(1, 2, 3) } })
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const changed = Uint8Array.from(whole)
      changed[at] = changed[at]! ^ flip
      expect(decodeCheckpoint(changed).ok).toBe(false)
      expect(decodeCheckpoint(whole.slice(0, at)).ok).toBe(false)
    }),
  )
})
