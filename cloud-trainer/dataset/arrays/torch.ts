/**
 * Tensors that `torch.save` wrote (PyTorch 1.6 and later): a zip archive of a pickle, which names storages, and of the
 * storages' bytes. The pickle is read as data, with the few globals below; what else is in such files (models, whole
 * checkpoints with optimizers' classes) is refused.
 */
import { DatasetError } from '../dataset-error.ts'
import type { LoadedArray, NamedArrays } from './array-file.ts'
import { countOf, decodeElements, ELEMENT_BYTES, type ElementType, gather } from './elements.ts'
import { isKind, type PickleValue, type PickleWords, type Refuse, readPickle } from './pickle.ts'
import { openZip, type Zip } from './zip.ts'

const STORAGES: ReadonlyMap<string, ElementType> = new Map([
  ['torch.FloatStorage', 'f4'],
  ['torch.DoubleStorage', 'f8'],
  ['torch.HalfStorage', 'f2'],
  ['torch.BFloat16Storage', 'bf2'],
  ['torch.LongStorage', 'i8'],
  ['torch.IntStorage', 'i4'],
  ['torch.ShortStorage', 'i2'],
  ['torch.CharStorage', 'i1'],
  ['torch.ByteStorage', 'u1'],
  ['torch.BoolStorage', 'bool'],
])
const REBUILD = 'torch._utils._rebuild_tensor_v2'
const ORDERED = 'collections.OrderedDict'

const MOST_CONTAINERS = 10_000
/** A pickle of the allowed length has fewer, unless it holds the same list many times. */
const MOST_ITEMS = 2 ** 23
const MOST_AXES = 32
const DEEPEST = 16

type StorageRef = { readonly key: string; readonly type: ElementType; readonly count: number }
type Tensor = {
  readonly storage: StorageRef
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
}

/**
 * A file of one tensor has it under ''; dictionaries, lists and tuples of tensors give names like "image.0". Lists of
 * texts or of numbers are arrays too, for ids. Whatever else there is is left out. Throws DatasetError.
 */
export const parseTorch = (bytes: Uint8Array, file: string): NamedArrays => {
  const zip = openZip(bytes, file)
  const pickle = zip.names.find((name) => /^[^/]+\/data\.pkl$/.test(name))
  if (pickle === undefined) throw new DatasetError('bad-array', 'has no data.pkl, as torch.save writes it', { file })
  const root = pickle.slice(0, -'data.pkl'.length)
  const order = zip.names.includes(`${root}byteorder`) ? Buffer.from(zip.read(`${root}byteorder`)).toString() : 'little'
  if (order !== 'little') throw new DatasetError('bad-array', `numbers are ${order} endian`, { file })
  const tensors = new Map<object, Tensor>()
  const value = readPickle(zip.read(pickle), `${file}/${pickle}`, wordsFor(tensors))
  return [...arraysIn(value, tensors, file)].map(([name, found]) => {
    const load = () => ('storage' in found ? materialize(found, { zip, root, file }) : found)
    return [name, load] as const
  })
}

const wordsFor = (tensors: Map<object, Tensor>): PickleWords => {
  const storages = new Map<object, StorageRef>()
  return {
    globals: new Set([...STORAGES.keys(), REBUILD, ORDERED]),
    load: (id, refuse) => {
      const made = {}
      storages.set(made, storageOf(id, refuse))
      return { kind: 'made', made }
    },
    call: (global, args, refuse) => {
      if (global === ORDERED && args.length === 0) return { kind: 'dict', entries: new Map() }
      if (global !== REBUILD) return refuse(`${global} is called with ${args.length} arguments`)
      const made = {}
      tensors.set(made, tensorOf(args, storages, refuse))
      return { kind: 'made', made }
    },
  }
}

/** ('storage', type, key, device, elements) */
const storageOf = (id: PickleValue, refuse: Refuse): StorageRef => {
  const [word, type, key, , count] = isKind(id, 'tuple') ? id.items : []
  if (word !== 'storage' || typeof key !== 'string' || !/^\d{1,9}$/.test(key) || !isCount(count)) {
    return refuse('a persistent id that is no storage')
  }
  const element = type !== undefined && isKind(type, 'global') ? STORAGES.get(type.name) : undefined
  return element === undefined ? refuse('a storage of no known type') : { key, type: element, count }
}

/** (storage, offset, size, stride, requires_grad, backward_hooks, …) */
const tensorOf = (args: readonly PickleValue[], storages: ReadonlyMap<object, StorageRef>, refuse: Refuse): Tensor => {
  const [made, offset, size, stride, , , attributes] = args
  const storage = made !== undefined && isKind(made, 'made') ? storages.get(made.made) : undefined
  const shape = countsOf(size)
  const strides = countsOf(stride)
  if (storage === undefined || !isCount(offset) || shape === null || strides === null) {
    return refuse('a tensor without storage, offset, size and stride')
  }
  // Views that torch negates or conjugates lazily say so here, and their storage has the other sign.
  if (
    attributes !== undefined &&
    attributes !== null &&
    !(isKind(attributes, 'dict') && attributes.entries.size === 0)
  ) {
    return refuse('a tensor with attributes of its own, as a negated view has; save a copy of it (.clone())')
  }
  const count = countOf(shape)
  if (count === null || shape.length !== strides.length || shape.length > MOST_AXES) {
    return refuse(`a tensor of size (${shape.join(', ')}) and stride (${strides.join(', ')})`)
  }
  const last = offset + shape.reduce((sum, n, axis) => sum + (n - 1) * strides[axis]!, 0)
  if (count > 0 && (last >= storage.count || count > storage.count)) {
    return refuse(`a tensor (${shape.join(', ')}) larger than its storage of ${storage.count}`)
  }
  return { storage, offset, shape, strides }
}

const isCount = (value: PickleValue | undefined): value is number => Number.isSafeInteger(value) && Number(value) >= 0

const countsOf = (value: PickleValue | undefined): readonly number[] | null =>
  value !== undefined && isKind(value, 'tuple') && value.items.every(isCount) ? value.items : null

type Found = Tensor | LoadedArray

/** The walk ends though a pickle may hold itself, or the same list a thousand million times. */
function* arraysIn(
  value: PickleValue,
  tensors: ReadonlyMap<object, Tensor>,
  file: string,
): Generator<readonly [name: string, found: Found]> {
  let containers = 0
  let items = 0
  const enter = (size: number, depth: number): void => {
    containers++
    items += size
    if (containers <= MOST_CONTAINERS && items <= MOST_ITEMS && depth <= DEEPEST) return
    const what = `more than ${MOST_CONTAINERS} lists, ${MOST_ITEMS} values in them, or deeper than ${DEEPEST}`
    throw new DatasetError('bad-array', what, { file })
  }
  function* walk(at: PickleValue, name: string, depth: number): Generator<readonly [string, Found]> {
    const within = (key: string | number) => (name === '' ? String(key) : `${name}.${key}`)
    if (typeof at !== 'object' || at === null) return
    switch (at.kind) {
      case 'made': {
        const tensor = tensors.get(at.made)
        if (tensor !== undefined) yield [name, tensor]
        return
      }
      case 'list':
      case 'tuple': {
        enter(at.items.length, depth)
        const plain = plainArray(at.items)
        if (plain !== null) yield [name, plain]
        else for (const [i, item] of at.items.entries()) yield* walk(item, within(i), depth + 1)
        return
      }
      case 'dict':
        enter(at.entries.size, depth)
        for (const [key, item] of at.entries) {
          if (typeof key === 'string' || typeof key === 'number') yield* walk(item, within(key), depth + 1)
        }
        return
      case 'global':
        return
    }
  }
  yield* walk(value, '', 0)
}

/** Null when the items are neither all texts nor all numbers. */
const plainArray = (items: readonly PickleValue[]): LoadedArray | null => {
  if (items.length === 0) return null
  if (items.every((item) => typeof item === 'string')) return { shape: [items.length], values: [...items] }
  if (items.every((item) => typeof item === 'number'))
    return { shape: [items.length], values: Float64Array.from(items) }
  return null
}

const materialize = (
  { storage, offset, shape, strides }: Tensor,
  { zip, root, file }: { readonly zip: Zip; readonly root: string; readonly file: string },
): LoadedArray => {
  const member = `${root}data/${storage.key}`
  if (!zip.names.includes(member)) throw new DatasetError('bad-array', `has no storage "${member}"`, { file })
  const bytes = zip.read(member)
  if (bytes.length !== storage.count * ELEMENT_BYTES[storage.type]) {
    const what = `storage "${member}" has ${bytes.length} bytes for ${storage.count} elements of ${storage.type}`
    throw new DatasetError('bad-array', what, { file })
  }
  return { shape, values: gather(decodeElements(bytes, storage.type, file), { shape, strides, offset }) }
}
