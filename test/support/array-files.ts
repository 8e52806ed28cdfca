/** Bytes of array files as NumPy, safetensors and PyTorch write them. */
import { crc32, deflateRawSync } from 'node:zlib'

const WIDTHS = { f4: 4, f8: 8, i1: 1, i2: 2, i4: 4, i8: 8, u1: 1, u2: 2, u4: 4, u8: 8, f2: 2, bf2: 2, bool: 1 } as const
export type StoredType = keyof typeof WIDTHS
export type StoredArray = {
  readonly type: StoredType
  readonly shape: readonly number[]
  /** In C order. */
  readonly values: readonly number[]
}

export const elementBytes = ({ type, values }: Pick<StoredArray, 'type' | 'values'>): Buffer => {
  const bytes = Buffer.alloc(values.length * WIDTHS[type])
  const write: Readonly<Record<StoredType, (value: number, at: number) => unknown>> = {
    f4: (value, at) => bytes.writeFloatLE(value, at),
    f8: (value, at) => bytes.writeDoubleLE(value, at),
    i1: (value, at) => bytes.writeInt8(value, at),
    i2: (value, at) => bytes.writeInt16LE(value, at),
    i4: (value, at) => bytes.writeInt32LE(value, at),
    i8: (value, at) => bytes.writeBigInt64LE(BigInt(value), at),
    u1: (value, at) => bytes.writeUInt8(value, at),
    u2: (value, at) => bytes.writeUInt16LE(value, at),
    u4: (value, at) => bytes.writeUInt32LE(value, at),
    u8: (value, at) => bytes.writeBigUInt64LE(BigInt(value), at),
    bool: (value, at) => bytes.writeUInt8(value, at),
    // Of numbers that float16 and bfloat16 hold exactly.
    f2: (value, at) => bytes.writeUInt16LE(halfBits(value), at),
    bf2: (value, at) => {
      const wide = Buffer.alloc(4)
      wide.writeFloatLE(value)
      bytes.writeUInt16LE(wide.readUInt16LE(2), at)
    },
  }
  for (const [i, value] of values.entries()) write[type](value, i * WIDTHS[type])
  return bytes
}

/** For values that a half holds exactly and that are not subnormal. */
const halfBits = (value: number): number => {
  if (value === 0) return 0
  const exponent = Math.floor(Math.log2(Math.abs(value)))
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((Math.abs(value) / 2 ** exponent - 1) * 1024)
}

const npyType = (type: StoredType): string => (type === 'bool' ? '|b1' : `${WIDTHS[type] === 1 ? '|' : '<'}${type}`)

export const npyHeader = (literal: string, version: 1 | 2 | 3 = 1): Buffer => {
  const start = version === 1 ? 10 : 12
  const padded = `${literal}${' '.repeat((64 - ((start + literal.length + 1) % 64)) % 64)}\n`
  const head = Buffer.alloc(start)
  head.write('\x93NUMPY', 'latin1')
  head[6] = version
  if (version === 1) head.writeUInt16LE(padded.length, 8)
  else head.writeUInt32LE(padded.length, 8)
  return Buffer.concat([head, Buffer.from(padded, 'latin1')])
}

/** `fortran` only says so: the values are in the order of the file. */
export const npyBytes = (array: StoredArray, options: { version?: 1 | 2 | 3; fortran?: boolean } = {}): Buffer => {
  const { version = 1, fortran = false } = options
  const shape = array.shape.length === 1 ? `(${array.shape[0]},)` : `(${array.shape.join(', ')})`
  const order = fortran ? 'True' : 'False'
  const literal = `{'descr': '${npyType(array.type)}', 'fortran_order': ${order}, 'shape': ${shape}, }`
  return Buffer.concat([npyHeader(literal, version), elementBytes(array)])
}

/** `pad`: bytes of the local header's extra field, which PyTorch uses to align storages. */
export const zipBytes = (
  members: Readonly<Record<string, Uint8Array>>,
  { deflate = false, pad = 0 }: { deflate?: boolean; pad?: number } = {},
): Buffer => {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, data] of Object.entries(members)) {
    const packed = deflate ? deflateRawSync(data) : Buffer.from(data)
    const own = Buffer.alloc(26)
    own.writeUInt16LE(20, 0)
    own.writeUInt16LE(deflate ? 8 : 0, 4)
    own.writeUInt32LE(crc32(data), 10)
    own.writeUInt32LE(packed.length, 14)
    own.writeUInt32LE(data.length, 18)
    own.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.from(own)
    local.writeUInt16LE(pad, 24)
    const written = Buffer.concat([
      Buffer.from('PK\x03\x04', 'latin1'),
      local,
      Buffer.from(name),
      Buffer.alloc(pad),
      packed,
    ])
    const entry = Buffer.alloc(16)
    entry.writeUInt32LE(at, 12)
    directory.push(
      Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), own, entry.subarray(2), Buffer.from(name)]),
    )
    parts.push(written)
    at += written.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, central, end])
}

const SAFE_TYPES: Readonly<Record<StoredType, string>> = {
  f4: 'F32',
  f8: 'F64',
  f2: 'F16',
  bf2: 'BF16',
  i1: 'I8',
  i2: 'I16',
  i4: 'I32',
  i8: 'I64',
  u1: 'U8',
  u2: 'U16',
  u4: 'U32',
  u8: 'U64',
  bool: 'BOOL',
}

export const safetensorsFile = (header: unknown, data: Uint8Array): Buffer => {
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, data])
}

export const safetensorsBytes = (arrays: Readonly<Record<string, StoredArray>>): Buffer => {
  let at = 0
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  const data = Object.entries(arrays).map(([name, array]) => {
    const bytes = elementBytes(array)
    header[name] = { dtype: SAFE_TYPES[array.type], shape: array.shape, data_offsets: [at, at + bytes.length] }
    at += bytes.length
    return bytes
  })
  return safetensorsFile(header, Buffer.concat(data))
}

/** It has no storages of unsigned numbers but bytes. */
const TORCH_TYPES: Readonly<Record<StoredType, string | null>> = {
  f4: 'FloatStorage',
  f8: 'DoubleStorage',
  f2: 'HalfStorage',
  bf2: 'BFloat16Storage',
  i1: 'CharStorage',
  i2: 'ShortStorage',
  i4: 'IntStorage',
  i8: 'LongStorage',
  u1: 'ByteStorage',
  u2: null,
  u4: null,
  u8: null,
  bool: 'BoolStorage',
}

/** Opcodes of pickle protocol 2, as `torch.save` strings them together. */
export const pickleOf = {
  global: (module: string, name: string) => `c${module}\n${name}\n`,
  text: (text: string) => `X${u32(text.length)}${text}`,
  integer: (n: number) => (n < 256 ? `K${String.fromCharCode(n)}` : `J${u32(n)}`),
  tuple: (...items: readonly string[]) => `(${items.join('')}t`,
  file: (value: string) => Buffer.from(`\x80\x02${value}.`, 'latin1'),
}

const u32 = (n: number): string => String.fromCharCode(n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >> 24) & 255)

export type StoredTensor = StoredArray & {
  /** Of elements in the storage, whose values are `values`. C order when absent. */
  readonly strides?: readonly number[]
  readonly offset?: number
}

export const tensorPickle = (key: string, { type, shape, values, strides, offset = 0 }: StoredTensor): string => {
  const { global, text, integer, tuple } = pickleOf
  const cOrder = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, n) => product * n, 1))
  const storage = tuple(
    text('storage'),
    global('torch', TORCH_TYPES[type] ?? 'UntypedStorage'),
    text(key),
    text('cpu'),
    integer(values.length),
  )
  const args = tuple(
    `${storage}Q`,
    integer(offset),
    tuple(...shape.map(integer)),
    tuple(...(strides ?? cOrder).map(integer)),
    '\x89',
    `${global('collections', 'OrderedDict')})R`,
  )
  return `${global('torch._utils', '_rebuild_tensor_v2')}${args}R`
}

/** One tensor, or a dictionary of them, in the form of `torch.save`. */
export const torchBytes = (saved: StoredTensor | Readonly<Record<string, StoredTensor>>): Buffer => {
  const isOne = (it: typeof saved): it is StoredTensor => Array.isArray(it.values)
  const tensors = isOne(saved) ? [['', saved] as const] : Object.entries(saved)
  const items = tensors.map(([name, tensor], i) => [pickleOf.text(name), tensorPickle(String(i), tensor)] as const)
  const value = isOne(saved) ? items[0]![1] : `}(${items.flat().join('')}u`
  const storages = tensors.map(([, tensor], i) => [`archive/data/${i}`, elementBytes(tensor)] as const)
  return zipBytes(
    {
      'archive/data.pkl': pickleOf.file(value),
      'archive/byteorder': Buffer.from('little'),
      ...Object.fromEntries(storages),
      'archive/version': Buffer.from('3\n'),
    },
    { pad: 33 },
  )
}
