import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  elementBytes,
  npyBytes,
  npyHeader,
  pickleOf,
  type StoredArray,
  type StoredType,
  safetensorsBytes,
  safetensorsFile,
  tensorPickle,
  torchBytes,
  zipBytes,
} from '#test/support/array-files.ts'
import { DatasetError } from '../dataset-error.ts'
import { parseArrayFile } from './array-file.ts'

const arrayOf = (bytes: Uint8Array, file: string, name = '') => {
  const { shape, values } = parseArrayFile(bytes, file).read(name)
  return { shape, values: Array.from<unknown>(values) }
}

/** Reads every array of the file; the error that it gives. */
const failure = (bytes: Uint8Array, file: string): DatasetError => {
  try {
    const { names, read } = parseArrayFile(bytes, file)
    for (const name of names) read(name)
  } catch (error) {
    if (error instanceof DatasetError) return error
    throw error
  }
  throw new Error('it was read')
}
const refused = (bytes: Uint8Array, file: string, message: string): void => {
  const error = failure(bytes, file)
  expect(error.code).toBe('bad-array')
  expect(error.message).toContain(message)
}

const VALUES: Readonly<Record<StoredType, fc.Arbitrary<number>>> = {
  f4: fc.float(),
  f8: fc.double(),
  // Those that the short formats hold exactly.
  f2: fc.constantFrom(0, 1, -2, 0.5, 1.5, -1.25, 65504, 1023),
  bf2: fc.constantFrom(0, 1, -2, 0.5, 1.5, -1.25, 2 ** 100),
  i1: fc.integer({ min: -128, max: 127 }),
  i2: fc.integer({ min: -32768, max: 32767 }),
  i4: fc.integer(),
  i8: fc.maxSafeInteger(),
  u1: fc.integer({ min: 0, max: 255 }),
  u2: fc.integer({ min: 0, max: 65_535 }),
  u4: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  u8: fc.maxSafeNat(),
  bool: fc.integer({ min: 0, max: 1 }),
}

const stored = (types: readonly StoredType[]): fc.Arbitrary<StoredArray> =>
  fc
    .tuple(fc.constantFrom(...types), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }))
    .chain(([type, shape]) => {
      const count = shape.reduce((product, n) => product * n, 1)
      const values = fc.array(VALUES[type], { minLength: count, maxLength: count })
      return values.map((it) => ({ type, shape, values: it }))
    })
const ALL = Object.keys(VALUES) as StoredType[]
const NUMPY = ALL.filter((type) => type !== 'bf2')
const isTorch = (type: StoredType): boolean => !['u2', 'u4', 'u8'].includes(type)

test('what NumPy, safetensors and PyTorch write is read with its shape and values', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), stored(NUMPY), { minKeys: 1, maxKeys: 3 }),
      stored(ALL.filter(isTorch)),
      fc.constantFrom(1, 2, 3),
      fc.boolean(),
      (named, other, version, deflate) => {
        const [first] = Object.values(named)
        const expected = ({ shape, values }: StoredArray) => ({ shape, values })
        expect(arrayOf(npyBytes(first!, { version }), 'a.npy')).toEqual(expected(first!))
        const members = Object.entries(named).map(([name, array]) => [`${name}.npy`, npyBytes(array)])
        const npz = zipBytes(Object.fromEntries(members), { deflate })
        const all = { ...named, other }
        const torch = Object.fromEntries(Object.entries(all).filter(([, { type }]) => isTorch(type)))
        const files = [
          [npz, 'a.npz', named],
          [safetensorsBytes(all), 'b.safetensors', all],
          [torchBytes(torch), 'c.pt', torch],
        ] as const
        for (const [bytes, file, arrays] of files) {
          expect(parseArrayFile(bytes, file).names.toSorted()).toEqual(Object.keys(arrays).sort())
          for (const [name, array] of Object.entries(arrays))
            expect(arrayOf(bytes, file, name)).toEqual(expected(array))
        }
        expect(arrayOf(torchBytes(other), 'c.pth')).toEqual(expected(other))
      },
    ),
  )
})

test('integers that no double holds are refused, and so are two arrays of one name', () => {
  const head = npyHeader("{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }")
  refused(Buffer.concat([head, Buffer.alloc(8, 255)]), 'u.npy', 'element 0 is 18446744073709551615, beyond ±2^53')
  const one = npyBytes({ type: 'u1', shape: [1], values: [1] })
  refused(zipBytes({ 'a.npy': one, a: one }), 'a.npz', 'a.npz: two arrays are called "a"')
  const tensor = tensorPickle('0', { type: 'u1', shape: [1], values: [1] })
  const { file, text } = pickleOf
  const pickle = file(`}(${text('a.b')}${tensor}${text('a')}}${text('b')}${tensor}su`)
  refused(zipBytes({ 'x/data.pkl': pickle, 'x/data/0': Buffer.of(1) }), 'a.pt', 'a.pt: two arrays are called "a.b"')
})

test('Fortran order becomes C order', () => {
  // [[0, 1, 2], [3, 4, 5]], column by column.
  const file = npyBytes({ type: 'f4', shape: [2, 3], values: [0, 3, 1, 4, 2, 5] }, { fortran: true })
  expect(arrayOf(file, 'f.npy')).toEqual({ shape: [2, 3], values: [0, 1, 2, 3, 4, 5] })
})

test('halves: subnormal, infinite and no number', () => {
  const halves = Buffer.from([0x01, 0x00, 0x00, 0x7c, 0x00, 0xfc, 0x01, 0x7e])
  const head = npyHeader("{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }")
  expect(arrayOf(Buffer.concat([head, halves]), 'h.npy').values).toEqual([2 ** -24, Infinity, -Infinity, Number.NaN])
})

test('texts are for ids', () => {
  const texts = (descr: string, data: Buffer) =>
    arrayOf(Buffer.concat([npyHeader(`{'descr': '${descr}', 'fortran_order': False, 'shape': (2,), }`), data]), 't.npy')
  const wide = Buffer.from(new Uint32Array([0x61, 0x1f98a, 0x62, 0]).buffer)
  expect(texts('<U2', wide)).toEqual({ shape: [2], values: ['a🦊', 'b'] })
  expect(texts('|S3', Buffer.from('abcd\0\0'))).toEqual({ shape: [2], values: ['abc', 'd'] })
})

test('names that are not there, and formats that are not known', () => {
  const file = npyBytes({ type: 'u1', shape: [1], values: [1] })
  expect(() => parseArrayFile(file, 'a.npy').read('x')).toThrow('a.npy: no array "x"; there is ""')
  expect(() => parseArrayFile(file, 'a.h5')).toThrow('a.h5: not a name of an array file')
})

test('.npy: lying and foreign headers', () => {
  const check = (literal: string, message: string, data = Buffer.alloc(8)) =>
    refused(Buffer.concat([npyHeader(literal), data]), 'a.npy', message)
  const head = (descr: string, shape: string) => `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`
  check(head("'<f4'", '(3,)'), '8 bytes of data, but the shape (3) is another size')
  check(head("'<f4'", '(1,)'), '8 bytes of data')
  check(head("'<f4'", '(4294967296, 4294967296)'), '8 bytes of data')
  check(head("'<f4'", '(99999999999999999999,)'), '8 bytes of data')
  check(head("'<f4'", '(-2,)'), 'which is not understood')
  check(head("'>f4'", '(2,)'), 'elements of type ">f4" are not read')
  check(head("'|O'", '(1,)'), 'elements of type "|O" are not read')
  check(head("'<c8'", '(1,)'), 'elements of type "<c8"')
  check(head("[('a', '<f4')]", '(2,)'), 'which is not understood')
  check("{'descr': '<f4', 'shape': (2,), }", 'not just descr, fortran_order and shape')
  check("{'descr': '<f4', 'descr': '<f4', 'shape': (2,), }", "has 'descr' twice")
  check("{'descr': '<f4', 'fortran_order': False, 'shape': (2", 'ends too early')
  check("__import__('os').system('true')", 'which is not understood')
  const long = npyHeader(`{${' '.repeat(20_000)}}`)
  refused(long, 'a.npy', 'a header of')
  refused(Buffer.from('no numbers'), 'a.npy', 'a.npy, byte 0: not a .npy file')
  refused(Buffer.from('\x93NUMPY\x07\x00ab', 'latin1'), 'a.npy', 'version 7.0')
  const huge = Buffer.concat([npyHeader(head("'<i8'", '(1,)')), elementBytes({ type: 'i8', values: [2 ** 53] })])
  refused(huge, 'a.npy', `element 0 is ${2 ** 53}`)
})

test('safetensors: lying headers', () => {
  const f4 = (from: number, to: number, shape = [1]) => ({ dtype: 'F32', shape, data_offsets: [from, to] })
  const check = (header: unknown, message: string) =>
    refused(safetensorsFile(header, Buffer.alloc(8)), 'a.safetensors', message)
  check({ a: f4(0, 4), b: f4(0, 4) }, '"b" overlaps another')
  check({ a: f4(4, 8) }, '"a" leaves a gap')
  check({ a: f4(0, 4) }, '8 bytes of data, but 4 are described')
  check({ a: f4(0, 4), b: f4(4, 12, [2]) }, '8 bytes of data, but 12 are described')
  check({ a: f4(0, 8) }, '"a" has 8 bytes, but is F32 of [1]')
  check({ a: f4(0, 8, [2 ** 40, 2 ** 40]) }, '"a" has 8 bytes')
  check({ a: f4(8, 4) }, '"a" has -4 bytes')
  check({ a: { ...f4(0, 4), dtype: 'toString' } }, '"a" has the unknown type toString')
  check({ a: { ...f4(0, 4), extra: 1 } }, '"a": ')
  check({ a: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }, '"a": ')
  check([1], 'the header is no JSON object')
  const length = (n: bigint) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(n)
    return bytes
  }
  refused(length(2n ** 63n), 'a.safetensors', 'at most 16777216 are read')
  refused(length(9n), 'a.safetensors', 'ends within the header')
  refused(Buffer.alloc(3), 'a.safetensors', 'ends within the header')
  refused(Buffer.concat([length(2n), Buffer.from('{[')]), 'a.safetensors', 'the header is no JSON')
})

test('zip: broken, lying and foreign archives', () => {
  const npy = npyBytes({ type: 'f4', shape: [500], values: Array.from({ length: 500 }, () => 1) })
  const zip = (edit: (bytes: Buffer, central: number) => unknown, deflate = true) => {
    const bytes = zipBytes({ 'x.npy': npy }, { deflate })
    edit(bytes, bytes.readUInt32LE(bytes.length - 6))
    return bytes
  }
  const check = (edit: (bytes: Buffer, central: number) => unknown, message: string, deflate?: boolean) =>
    refused(zip(edit, deflate), 'a.npz', message)
  check((it, at) => it.writeUInt16LE(1, at + 8), '"x.npy" is encrypted')
  check((it, at) => it.writeUInt16LE(14, at + 10), '"x.npy" is packed by method 14')
  check((it, at) => it.writeUInt32LE(7, at + 16), '"x.npy" has other bytes than its checksum says')
  check((it, at) => it.writeUInt32LE(2 ** 31 - 1, at + 24), '"x.npy" has other bytes than its checksum says')
  check((it, at) => it.writeUInt32LE(2 ** 32 - 2, at + 24), '"x.npy" is beyond 2 GiB')
  check((it, at) => it.writeUInt32LE(0, at + 24), `"x.npy" can't be inflated`)
  check((it, at) => it.writeUInt32LE(10, at + 24), `"x.npy" can't be inflated`)
  check((it, at) => it.writeUInt32LE(10, at + 24), '"x.npy" is stored, but has two sizes', false)
  check((it, at) => it.writeUInt32LE(10, at + 42), 'does not begin where the directory says')
  check((it, at) => it.writeUInt32LE(2 ** 31, at + 20), 'reaches beyond the members')
  check((it, at) => it.writeUInt16LE(999, at + 28), 'entry 0 of the directory is cut')
  check((it) => it.writeUInt16LE(2, it.length - 12), 'an archive over several disks')
  check((it) => it.writeUInt32LE(2 ** 32 - 1, it.length - 6), 'a ZIP64 archive')
  check((it) => it.writeUInt32LE(it.length, it.length - 6), 'the directory lies behind the end')
  refused(Buffer.from('PK'), 'a.npz', 'not a zip archive')

  // The same member under two names: a small file that claims to be large.
  const [a, b] = [zipBytes({ 'a.npy': npy }, { deflate: true }), zipBytes({ 'b.npy': npy }, { deflate: true })]
  const central = a.readUInt32LE(a.length - 6)
  const entries = [a.subarray(central, -22), b.subarray(central, -22)]
  const end = Buffer.from(a.subarray(-22))
  end.writeUInt16LE(2, 8)
  end.writeUInt16LE(2, 10)
  end.writeUInt32LE(2 * entries[0]!.length, 12)
  refused(Buffer.concat([a.subarray(0, central), ...entries, end]), 'a.npz', 'members overlap')
})

test('a file cut or changed anywhere is refused or read, and nothing else', () => {
  const array: StoredArray = { type: 'f4', shape: [2, 2], values: [1, 2, 3, 4] }
  const files = [
    [npyBytes(array), 'a.npy'],
    [zipBytes({ 'x.npy': npyBytes(array) }, { deflate: true }), 'a.npz'],
    [safetensorsBytes({ x: array, y: array }), 'a.safetensors'],
    [torchBytes({ x: array, y: array }), 'a.pt'],
  ] as const
  for (const [bytes, file] of files) {
    for (let end = 0; end < bytes.length; end++) expect(failure(bytes.subarray(0, end), file).code).toBe('bad-array')
  }
  const tried = (bytes: Uint8Array, file: string): void => {
    try {
      const { names, read } = parseArrayFile(bytes, file)
      for (const name of names) expect(read(name).values.length).toBeLessThanOrEqual(16)
    } catch (error) {
      if (!(error instanceof DatasetError)) throw error
    }
  }
  fc.assert(
    fc.property(fc.constantFrom(...files), fc.nat(), fc.integer({ min: 0, max: 255 }), ([bytes, file], at, byte) => {
      const changed = Buffer.from(bytes)
      changed[at % changed.length] = byte
      tried(changed, file)
    }),
    { numRuns: 3000 },
  )
  fc.assert(fc.property(fc.constantFrom(...files), fc.uint8Array(), ([, file], bytes) => tried(bytes, file)))
})
