/** NumPy's .npy (NEP 1), versions 1 to 3: a header that is a Python literal, then the elements. */
import { DatasetError } from '../dataset-error.ts'
import type { LoadedArray } from './array-file.ts'
import { countOf, decodeElements, ELEMENT_BYTES, type ElementType, gather, stridesOf } from './elements.ts'

const MAGIC = '\x93NUMPY'
/** As NumPy's own reader has it. */
const LONGEST_HEADER = 10_000
/** Bytes that every header lies within. */
export const NPY_HEADER_BYTES = LONGEST_HEADER + 12

const TYPES: ReadonlyMap<string, ElementType> = new Map([
  ['|b1', 'bool'],
  ['|u1', 'u1'],
  ['|i1', 'i1'],
  ['<u2', 'u2'],
  ['<u4', 'u4'],
  ['<u8', 'u8'],
  ['<i2', 'i2'],
  ['<i4', 'i4'],
  ['<i8', 'i8'],
  ['<f2', 'f2'],
  ['<f4', 'f4'],
  ['<f8', 'f8'],
])

/**
 * Numbers as in ElementType, texts of fixed width (`<U`, `|S`). Fortran order is brought into C order. Throws
 * DatasetError.
 */
export const parseNpy = (bytes: Uint8Array, file: string): LoadedArray => {
  const { type, isFortran, shape, start } = npyHeader(bytes, bytes.length, file)
  const data = bytes.subarray(start)
  if ('text' in type) {
    if (isFortran && shape.length > 1) return refusalIn(file)('texts in Fortran order are not read', start)
    return { shape, values: Array.from({ length: countOf(shape)! }, (_, i) => textAt(data, i, type.text)) }
  }
  const values = decodeElements(data, type.number, file)
  if (!isFortran || shape.length < 2) return { shape, values }
  return { shape, values: gather(values, { shape, strides: stridesOf(shape, 'Fortran'), offset: 0 }) }
}

/**
 * What a file of so many bytes holds, and where its elements begin. `bytes`: of its beginning, all of them or as many as
 * NPY_HEADER_BYTES. Throws DatasetError, also when the file has another size than that.
 */
export const npyHeader = (bytes: Uint8Array, fileBytes: number, file: string): Header & { readonly start: number } => {
  const refuse = refusalIn(file)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 10 || latin(bytes.subarray(0, 6)) !== MAGIC) return refuse('not a .npy file', 0)
  const version = bytes[6]!
  if (version < 1 || version > 3 || bytes[7] !== 0) return refuse(`version ${version}.${bytes[7]} is not known`, 6)
  const start = version === 1 ? 10 : 12
  if (bytes.length < start) return refuse('ends within the header', bytes.length)
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (length > LONGEST_HEADER) return refuse(`a header of ${length} bytes; at most ${LONGEST_HEADER} are read`, 8)
  if (start + length > bytes.length) return refuse('ends within the header', bytes.length)
  const header = parseHeader(latin(bytes.subarray(start, start + length)), (what) => refuse(what, start))

  const { type, shape } = header
  const count = countOf(shape)
  const dataBytes = fileBytes - start - length
  const elementBytes = 'text' in type ? type.text.width * type.text.bytes : ELEMENT_BYTES[type.number]
  if (count === null || count * elementBytes !== dataBytes) {
    return refuse(`${dataBytes} bytes of data, but the shape (${shape.join(', ')}) is another size`, start + length)
  }
  return { ...header, start: start + length }
}

const refusalIn =
  (file: string) =>
  (what: string, offset: number): never => {
    throw new DatasetError('bad-array', what, { file, offset })
  }

const latin = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')

/** Characters in one element, bytes in one character. */
type TextType = { readonly width: number; readonly bytes: 1 | 4 }
type Header = {
  readonly type: { readonly number: ElementType } | { readonly text: TextType }
  readonly isFortran: boolean
  readonly shape: readonly number[]
}

const TOKEN = /\s*(?:'([^'\\]*)'|(True|False)|(\d+)|([{}(),:]))/y

/** The literal `{'descr': …, 'fortran_order': …, 'shape': …}`, its keys in any order. */
const parseHeader = (text: string, refuse: (what: string) => never): Header => {
  const source = text.trim()
  const tokens: string[] = []
  const token = new RegExp(TOKEN)
  while (token.lastIndex < source.length) {
    const at = token.lastIndex
    const found = token.exec(source)
    if (found === null) return refuse(`the header has "${source.slice(at, at + 20)}", which is not understood`)
    tokens.push(found[1] === undefined ? (found[2] ?? found[3] ?? found[4]!) : `'${found[1]}`)
  }
  const next = () => tokens.shift() ?? refuse('the header ends too early')
  const expect = (wanted: string) => {
    const got = next()
    if (got !== wanted) refuse(`the header has "${got}" where "${wanted}" is expected`)
  }
  const shapeOf = (): readonly number[] => {
    expect('(')
    const sizes: number[] = []
    while (tokens[0] !== ')') {
      const size = next()
      if (!/^\d+$/.test(size)) return refuse(`the header has the size "${size}"`)
      sizes.push(Number(size))
      if (tokens[0] !== ')') expect(',')
    }
    expect(')')
    return sizes
  }
  const values = new Map<string, string | readonly number[]>()
  expect('{')
  while (tokens[0] !== '}') {
    const key = next()
    expect(':')
    if (values.has(key)) return refuse(`the header has ${key}' twice`)
    values.set(key, key === "'shape" ? shapeOf() : next())
    if (tokens[0] !== '}') expect(',')
  }
  const [descr, order, shape] = ["'descr", "'fortran_order", "'shape"].map((key) => values.get(key))
  if (values.size !== 3 || typeof descr !== 'string' || !Array.isArray(shape) || !isBoolean(order)) {
    return refuse('the header has not just descr, fortran_order and shape')
  }
  return { type: typeOf(descr.slice(1), refuse), isFortran: order === 'True', shape }
}

const isBoolean = (value: unknown): boolean => value === 'True' || value === 'False'

const typeOf = (descr: string, refuse: (what: string) => never): Header['type'] => {
  const number = TYPES.get(descr)
  if (number !== undefined) return { number }
  const text = /^(<U|\|S)(\d{1,5})$/.exec(descr)
  if (text !== null) return { text: { width: Number(text[2]), bytes: text[1] === '<U' ? 4 : 1 } }
  return refuse(`elements of type "${descr}" are not read; known are ${[...TYPES.keys()].join(', ')}, <U…, |S…`)
}

/** Texts are filled up with zeros. */
const textAt = (data: Uint8Array, i: number, { width, bytes }: TextType): string => {
  const cell = data.subarray(i * width * bytes, (i + 1) * width * bytes)
  if (bytes === 1) return Buffer.from(cell).toString('utf8').replace(/\0+$/, '')
  const view = new DataView(cell.buffer, cell.byteOffset, cell.length)
  const points = Array.from({ length: width }, (_, c) => view.getUint32(4 * c, true))
  return points
    .map((point) => (point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd'))
    .join('')
    .replace(/\0+$/, '')
}
