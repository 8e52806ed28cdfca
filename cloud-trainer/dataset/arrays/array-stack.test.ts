import { open } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { npyBytes, npyHeader, safetensorsBytes, torchBytes, zipBytes } from '#test/support/array-files.ts'
import { type Files, withFolder } from '#test/support/data-folder.ts'
import { parseArrayFile } from './array-file.ts'
import { openStack } from './array-stack.ts'

const stackOf = (files: Files, file: string, array: string) =>
  withFolder(files, async (folder) => {
    const { shape, rows } = await openStack(folder, file, array)
    return { shape, rows: Array.from({ length: shape[0]! }, (_, row) => rows(row, 1)), all: rows(0, shape[0]!) }
  })

test('rows by position are those of the whole array, in every format', async () => {
  const types = fc.constantFrom('bool', 'u1', 'i1', 'i2', 'i4', 'i8', 'f2', 'f4', 'f8')
  const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(types, shapes, fc.integer({ min: 0, max: 1 }), async (type, shape, first) => {
      const size = shape.reduce((product, n) => product * n, 1)
      const stack = { type, shape, values: Array.from({ length: size }, (_, i) => (first + i) % 2) } as const
      const files: Files = {
        'a.npy': npyBytes(stack),
        'a.npz': zipBytes({ 'a.npy': npyBytes(stack) }),
        'a.safetensors': safetensorsBytes({ before: stack, a: stack }),
        'a.pt': torchBytes({ a: stack }),
      }
      for (const [file, bytes] of Object.entries(files)) {
        const name = file === 'a.npy' ? '' : 'a'
        const whole = parseArrayFile(bytes as Uint8Array, file).read(name)
        const { shape: found, rows, all } = await stackOf(files, file, name)
        expect([file, found]).toEqual([file, whole.shape])
        expect(all).toEqual(whole.values)
        expect(rows.flatMap((row) => [...row])).toEqual([...whole.values])
      }
    }),
    { numRuns: 30 },
  )
})

test('a stack of texts, and one in Fortran order, are read as a whole', async () => {
  const fortran = Buffer.concat([
    npyHeader("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 2), }"),
    Buffer.from(Float64Array.of(1, 2, 3, 4).buffer),
  ])
  expect((await stackOf({ 'f.npy': fortran }, 'f.npy', '')).rows).toEqual([
    Float64Array.of(1, 3),
    Float64Array.of(2, 4),
  ])
  const texts = Buffer.concat([
    npyHeader("{'descr': '|S2', 'fortran_order': False, 'shape': (2,), }"),
    Buffer.from('ab\0\0'),
  ])
  expect((await stackOf({ 't.npy': texts }, 't.npy', '')).rows).toEqual([['ab'], ['']])
})

test('a file larger than what can be read at once', async () => {
  const count = 3 * 2 ** 18
  const header = npyHeader(`{'descr': '<f4', 'fortran_order': False, 'shape': (${count}, 1024), }`)
  await withFolder({ 'large.npy': header }, async (folder) => {
    await using handle = await open(join(folder, 'large.npy'), 'r+')
    // Its middle is a hole that takes no disk.
    await handle.write(Float32Array.of(7, 8), 0, 8, header.length + 4096 * (count - 1))
    await handle.truncate(header.length + 4096 * count)
    const { shape, rows } = await openStack(folder, 'large.npy', '')
    expect(shape).toEqual([count, 1024])
    expect([...rows(count - 1, 1).slice(0, 3)]).toEqual([7, 8, 0])
    await handle.truncate(header.length + 4096 * (count - 1))
    await expect(openStack(folder, 'large.npy', '')).rejects.toMatchObject({ code: 'bad-array' })
    expect(() => rows(count - 1, 1)).toThrow("large.npy: row 786431 can't be read")
  })
})

test('broken, absent and nameless arrays are told as everywhere', async () => {
  const stack = { type: 'f4', shape: [2, 2], values: [1, 2, 3, 4] } as const
  const file = npyBytes(stack)
  for (const [files, name, array, message] of [
    [{ 'a.npy': file.subarray(0, file.length - 1) }, 'a.npy', '', 'another size'],
    [{ 'a.npy': file.subarray(0, 7) }, 'a.npy', '', 'not a .npy file'],
    [{ 'a.npy': file }, 'a.npy', 'b', 'no array "b"'],
    [{ 'a.safetensors': safetensorsBytes({ a: stack }) }, 'a.safetensors', 'b', 'no array "b"'],
    [{ 'a.safetensors': safetensorsBytes({ a: stack }).subarray(0, 60) }, 'a.safetensors', 'a', 'a.safetensors'],
    [{}, 'a.npy', '', 'no such file'],
    [{}, 'a.safetensors', 'a', 'no such file'],
  ] as const) {
    await expect(stackOf(files, name, array)).rejects.toThrow(message)
  }
})
