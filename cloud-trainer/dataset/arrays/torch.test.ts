import { expect, test } from 'vitest'
import { elementBytes, pickleOf, tensorPickle, torchBytes, zipBytes } from '#test/support/array-files.ts'
import { DatasetError } from '../dataset-error.ts'
import { parseTorch } from './torch.ts'

const { file, global, text, integer, tuple } = pickleOf

/** A .pt file of any pickle, with a storage of six float32. */
const archive = (pickle: Uint8Array, more: Readonly<Record<string, Uint8Array>> = {}) =>
  zipBytes({
    'a/data.pkl': pickle,
    'a/data/0': elementBytes({ type: 'f4', values: [0, 1, 2, 3, 4, 5] }),
    ...more,
  })

const read = (bytes: Uint8Array) =>
  [...parseTorch(bytes, 'a.pt')].map(([name, load]) => {
    const { shape, values } = load()
    return [name, shape, Array.from<unknown>(values)]
  })

const refused = (pickle: string, message: string): void => {
  const run = () => read(archive(file(pickle)))
  expect(run).toThrow(DatasetError)
  expect(run).toThrow(message)
}

const SIX = { type: 'f4', shape: [2, 3], values: [0, 1, 2, 3, 4, 5] } as const

test('views of a storage: transposed, cut out, without axes', () => {
  const check = (strides: number[], shape: number[], offset: number, values: number[]) =>
    expect(read(torchBytes({ ...SIX, shape, strides, offset }))).toEqual([['', shape, values]])
  check([1, 3], [3, 2], 0, [0, 3, 1, 4, 2, 5])
  check([3, 1], [2, 2], 1, [1, 2, 4, 5])
  check([2], [3], 1, [1, 3, 5])
  check([], [], 4, [4])
  check([1, 1], [0, 3], 0, [])
})

test('a tensor that torch negates when it is read, as an imaginary part of a conjugate, is refused', () => {
  const withAttributes = (attributes: string) => `${tensorPickle('0', SIX).slice(0, -2)}${attributes}tR`
  const six = [['', [2, 3], [0, 1, 2, 3, 4, 5]]]
  for (const none of ['', 'N', '}']) expect(read(archive(file(withAttributes(none))))).toEqual(six)
  refused(withAttributes(`}${text('neg')}\x88s`), 'a tensor with attributes of its own, as a negated view has')
})

test('lists and dictionaries give names; two tensors may share a storage; what is no tensor is left out', () => {
  const tensor = tensorPickle('0', SIX)
  const pickle = `}(${text('ids')}](${tensor}${tensor}e${text('note')}${text('hello')}${integer(7)}${tuple(tensor, 'N')}u`
  const six = [0, 1, 2, 3, 4, 5]
  expect(read(archive(file(pickle)))).toEqual([
    ['ids.0', [2, 3], six],
    ['ids.1', [2, 3], six],
    ['7.0', [2, 3], six],
  ])
  // Ids as Python has them.
  const named = `}(${text('v')}${tensor}${text('texts')}](${text('a')}${text('b')}e${text('numbers')}${tuple(integer(7), integer(300))}${text('mixed')}](${text('a')}${integer(1)}eu`
  expect(read(archive(file(named)))).toEqual([
    ['v', [2, 3], six],
    ['texts', [2], ['a', 'b']],
    ['numbers', [2], [7, 300]],
  ])
  // A state_dict: an OrderedDict whose attributes follow.
  const state = `${global('collections', 'OrderedDict')})R${text('w')}${tensor}s}${text('_metadata')}}sb`
  expect(read(archive(file(state)))).toEqual([['w', [2, 3], six]])
})

test('protocol 4 with frames, memos and global names from the stack', () => {
  const short = (it: string) => `\x8c${String.fromCharCode(it.length)}${it}`
  const pickle = `\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00]\x94(${short('x')}\x94h\x01${short('collections')}${short('OrderedDict')}\x93\x94)Rj\x02\x00\x00\x00)Re.`
  expect(read(archive(Buffer.from(pickle, 'latin1')))).toEqual([])
})

test('nothing but the list is named or called', () => {
  refused(`${global('os', 'system')}${tuple(text('true'))}R`, 'names "os.system", which is not on the list')
  refused(`${global('builtins', 'eval')}${tuple(text('1'))}R`, 'names "builtins.eval"')
  refused(global('torch._utils', '_rebuild_parameter'), 'names "torch._utils._rebuild_parameter"')
  refused(`${text('os')}${text('system')}\x93`, 'names "os.system"')
  refused(`${text('collections.OrderedDict')}N\x93`, 'names "collections.OrderedDict.null"')
  refused(`${global('collections', 'OrderedDict')}${tuple('N')}R`, 'collections.OrderedDict is called with 1 arguments')
  refused(`${global('torch', 'FloatStorage')})R`, 'torch.FloatStorage is called')
  refused(`${text('eval')})R`, 'calls what is no global')
  refused('(ios\nsystem\n', 'opcode 0x69 (INST) is not read')
  refused(`${global('collections', 'OrderedDict')})\x81`, 'opcode 0x81 (NEWOBJ) is not read')
  refused('Pthing\n', 'opcode 0x50 (PERSID) is not read')
  refused('\x82\x01', 'opcode 0x82 (EXT1) is not read')
  refused('\xff', 'opcode 0xff is not read')
})

test('pickles that contradict themselves', () => {
  refused('0', 'opcode 0x30 is not read')
  refused('R', 'takes from an empty stack')
  refused('(q\x00', 'looks at an empty stack')
  refused('(R', 'takes from an empty stack')
  refused('t', 'has no mark')
  refused('h\x05', 'recalls 5, which was never kept')
  refused('NN', 'stops with a full stack')
  refused('NNa', 'appends to what is no list')
  refused('](N', 'stops with a full stack')
  refused('}(NNNu', 'sets items of what is no dictionary')
  refused('N}b', 'BUILD of what is no dictionary')
  refused('X\xff\xff\xff\x7fab', 'ends within an opcode')
  refused('\x8a\x09123456789', 'an integer of 9 bytes')
  refused('cos', 'ends within a line')
  expect(() => read(archive(Buffer.from('\x80\x02N', 'latin1')))).toThrow('ends without STOP')
  expect(() => read(archive(Buffer.from('\x80\x01N.', 'latin1')))).toThrow('protocol 1 is not read')
  expect(() => read(archive(Buffer.alloc(16 * 2 ** 20 + 1)))).toThrow('16777217 bytes; at most 16777216 are read')
})

test('tensors that lie about their storage', () => {
  const check = (shape: number[], strides: number[], offset: number, message: string) =>
    expect(() => read(torchBytes({ ...SIX, shape, strides, offset }))).toThrow(message)
  check([7], [1], 0, 'a tensor (7) larger than its storage of 6')
  check([2, 3], [3, 1], 1, 'larger than its storage')
  check([2], [6], 0, 'larger than its storage')
  check([1000], [0], 0, 'larger than its storage')
  check([2, 3], [1], 0, 'a tensor of size (2, 3) and stride (1)')
  const half = tensorPickle('0', { ...SIX, type: 'f2' })
  refused(half, 'has 24 bytes for 6 elements of f2')
  refused(tensorPickle('1', SIX), 'has no storage "a/data/1"')
  refused(tensorPickle('../../x', SIX), 'a persistent id that is no storage')
  refused('NQ', 'a persistent id that is no storage')
  const noStorage = `${global('torch._utils', '_rebuild_tensor_v2')}${tuple('N', integer(0), ')', ')')}R`
  refused(noStorage, 'a tensor without storage')
})

test('depth and number are bounded, for lists that hold themselves too', () => {
  refused(']q\x00h\x00a', 'deeper than 16')
  refused(`N${'\x85'.repeat(100_000)}`, 'deeper than 16')
  const long = `](${'K\x01'.repeat(1000)}eq\x00`
  refused(`](${long}${'h\x00'.repeat(9000)}e`, '8388608 values in them')
  // Ten lists of ten times the one before: 10^10 values in 200 bytes.
  const laughs = Array.from(
    { length: 10 },
    (_, i) => `](${`h${String.fromCharCode(i)}`.repeat(10)}eq${String.fromCharCode(i + 1)}`,
  )
  refused(`(]q\x00${laughs.join('')}t`, 'more than 10000 lists')
})

test('archives that are none of torch.save', () => {
  expect(() => read(zipBytes({ 'x.npy': Buffer.alloc(1) }))).toThrow('a.pt: has no data.pkl')
  expect(() => read(archive(file('N'), { 'a/byteorder': Buffer.from('big') }))).toThrow('numbers are big endian')
  expect(() => read(Buffer.from('\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.', 'latin1'))).toThrow('not a zip archive')
})
