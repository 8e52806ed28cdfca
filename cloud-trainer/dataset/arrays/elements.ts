/** Little-endian numbers of array files, and their order in memory. */
import { endianness } from 'node:os'
import { assert } from '#shared/std/assert.ts'
import { DatasetError } from '../dataset-error.ts'

export type ElementType = 'bool' | 'u1' | 'u2' | 'u4' | 'u8' | 'i1' | 'i2' | 'i4' | 'i8' | 'f2' | 'bf2' | 'f4' | 'f8'

/** f2 and bf2 (bfloat16) become float32, i8 and u8 float64, bool 0 or 1; all without loss. */
export type NumericValues =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Float32Array
  | Float64Array

export const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = {
  bool: 1,
  u1: 1,
  u2: 2,
  u4: 4,
  u8: 8,
  i1: 1,
  i2: 2,
  i4: 4,
  i8: 8,
  f2: 2,
  bf2: 2,
  f4: 4,
  f8: 8,
}

/** Elements of a shape; null when a size is no count or all of them together are beyond 2^53. */
export const countOf = (shape: readonly number[]): number | null => {
  const isCount = (n: number) => Number.isSafeInteger(n) && n >= 0
  const count = shape.reduce((product, size) => product * size, 1)
  return shape.every(isCount) && isCount(count) ? count : null
}

/** `bytes`: whole elements; the values never share their memory. `file` is for errors. */
export const decodeElements = (bytes: Uint8Array, type: ElementType, file: string): NumericValues => {
  assert(bytes.length % ELEMENT_BYTES[type] === 0, 'whole elements', { bytes: bytes.length, type })
  assert(endianness() === 'LE', 'this machine keeps numbers as the files do')
  const own = new Uint8Array(bytes).buffer
  switch (type) {
    case 'bool':
    case 'u1':
      return new Uint8Array(own)
    case 'u2':
      return new Uint16Array(own)
    case 'u4':
      return new Uint32Array(own)
    case 'u8':
      return exactly(new BigUint64Array(own), file)
    case 'i1':
      return new Int8Array(own)
    case 'i2':
      return new Int16Array(own)
    case 'i4':
      return new Int32Array(own)
    case 'i8':
      return exactly(new BigInt64Array(own), file)
    case 'f2':
      return Float32Array.from(new Uint16Array(own), halfToNumber)
    case 'bf2':
      return new Float32Array(Uint32Array.from(new Uint16Array(own), (bits) => bits << 16).buffer)
    case 'f4':
      return new Float32Array(own)
    case 'f8':
      return new Float64Array(own)
  }
}

const exactly = (integers: BigInt64Array | BigUint64Array, file: string): Float64Array => {
  const values = new Float64Array(integers.length)
  for (const [i, integer] of integers.entries()) {
    values[i] = Number(integer)
    if (Number.isSafeInteger(values[i])) continue
    throw new DatasetError('bad-array', `element ${i} is ${integer}, beyond ±2^53`, { file })
  }
  return values
}

/** IEEE 754 binary16. */
const halfToNumber = (bits: number): number => {
  const sign = bits >> 15 === 0 ? 1 : -1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** Distance in elements between neighbours along each axis; the last axis (C order) or the first one is the densest. */
export const stridesOf = (shape: readonly number[], order: 'C' | 'Fortran' = 'C'): readonly number[] => {
  const strides = shape.map(() => 1)
  const axes = order === 'C' ? [...shape.keys()].reverse() : [...shape.keys()]
  let stride = 1
  for (const axis of axes) {
    strides[axis] = stride
    stride *= shape[axis]!
  }
  return strides
}

/** The elements in C order. Whoever calls has checked that all of them lie in `values`. */
export const gather = <V extends NumericValues>(
  values: V,
  {
    shape,
    strides,
    offset,
  }: { readonly shape: readonly number[]; readonly strides: readonly number[]; readonly offset: number },
): V => {
  const count = countOf(shape)
  assert(count !== null, 'a shape that was checked', { shape })
  const last = offset + shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, 0)
  assert(count === 0 || last < values.length, 'elements lie in the values', { last, length: values.length })
  const gathered = new (values.constructor as new (length: number) => V)(count)
  const at = shape.map(() => 0)
  let from = offset
  for (let i = 0; i < count; i++) {
    gathered[i] = values[from]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!
      if (++at[axis]! < shape[axis]!) break
      from -= strides[axis]! * shape[axis]!
      at[axis] = 0
    }
  }
  return gathered
}
