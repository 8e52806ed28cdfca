/**
 * Python's pickle (protocols 2 to 5) as data: a closed list of opcodes, and of globals that the caller explains.
 * Nothing is imported, built or executed; any other opcode or global is refused by name. One pass over the bytes: time
 * and memory are bounded by their number.
 */
import { DatasetError } from '../dataset-error.ts'

export type PickleValue =
  | null
  | boolean
  | number
  | string
  | { readonly kind: 'tuple'; readonly items: readonly PickleValue[] }
  | { readonly kind: 'list'; readonly items: PickleValue[] }
  | { readonly kind: 'dict'; readonly entries: Map<PickleValue, PickleValue> }
  /** "module.name" of the list. */
  | { readonly kind: 'global'; readonly name: string }
  /** What `call` or `load` made. */
  | { readonly kind: 'made'; readonly made: object }

export type PickleWords = {
  readonly globals: ReadonlySet<string>
  /** The meaning of calling a global. Refusals are thrown by `refuse`. */
  readonly call: (global: string, args: readonly PickleValue[], refuse: Refuse) => PickleValue
  /** The meaning of a persistent id. */
  readonly load: (id: PickleValue, refuse: Refuse) => PickleValue
}

export type Refuse = (what: string) => never

const LARGEST = 16 * 2 ** 20
const MARK = Symbol('mark')
type Item = PickleValue | typeof MARK

/** Throws DatasetError. The value may hold itself: whoever walks it bounds the walk. */
export const readPickle = (bytes: Uint8Array, file: string, words: PickleWords): PickleValue => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  let opAt = 0
  const refuse: Refuse = (what) => {
    throw new DatasetError('bad-array', what, { file, offset: opAt })
  }
  if (bytes.length > LARGEST) return refuse(`${bytes.length} bytes; at most ${LARGEST} are read`)

  const stack: Item[] = []
  const memo = new Map<number, PickleValue>()
  const take = (count: number): number => {
    if (at + count > bytes.length) return refuse('ends within an opcode')
    at += count
    return at - count
  }
  const text = (length: number): string => {
    const from = take(length)
    return Buffer.from(bytes.buffer, bytes.byteOffset + from, length).toString('utf8')
  }
  const line = (): string => {
    const end = bytes.indexOf(10, at)
    return end === -1 ? refuse('ends within a line') : text(end + 1 - at).slice(0, -1)
  }
  const pop = (): PickleValue => {
    const item = stack.pop()
    return item === undefined || item === MARK ? refuse('takes from an empty stack') : item
  }
  const top = (): PickleValue => {
    const item = stack.at(-1)
    return item === undefined || item === MARK ? refuse('looks at an empty stack') : item
  }
  const sinceMark = (): PickleValue[] => {
    const mark = stack.lastIndexOf(MARK)
    return mark === -1 ? refuse('has no mark') : (stack.splice(mark).slice(1) as PickleValue[])
  }
  const several = (count: number): PickleValue[] => Array.from({ length: count }, pop).reverse()
  const recall = (key: number): PickleValue => {
    const value = memo.get(key)
    return value === undefined ? refuse(`recalls ${key}, which was never kept`) : value
  }
  const globalOf = (module: PickleValue, name: PickleValue): PickleValue => {
    const full = `${module}.${name}`
    if (typeof module === 'string' && typeof name === 'string' && words.globals.has(full)) {
      return { kind: 'global', name: full }
    }
    return refuse(`names ${JSON.stringify(full.slice(0, 100))}, which is not on the list of what is read`)
  }
  const append = (items: readonly PickleValue[]): void => {
    const list = top()
    if (isKind(list, 'list')) for (const item of items) list.items.push(item)
    else refuse('appends to what is no list')
  }
  const setItems = (items: readonly PickleValue[]): void => {
    const dict = top()
    if (isKind(dict, 'dict') && items.length % 2 === 0) {
      for (let i = 0; i < items.length; i += 2) dict.entries.set(items[i]!, items[i + 1]!)
    } else refuse('sets items of what is no dictionary')
  }
  const build = (): void => {
    const state = pop()
    // torch keeps a state_dict's versions as attributes of its OrderedDict; nothing is lost with them.
    if (!isKind(top(), 'dict') || !isKind(state, 'dict')) refuse('BUILD of what is no dictionary')
  }
  const reduce = (): PickleValue => {
    const args = pop()
    const called = pop()
    if (!isKind(called, 'global') || !isKind(args, 'tuple')) return refuse('calls what is no global')
    return words.call(called.name, args.items, refuse)
  }
  const long = (): number => {
    const length = view.getUint8(take(1))
    if (length > 8) return refuse(`an integer of ${length} bytes is not read`)
    const from = take(length)
    let value = 0n
    for (let i = 0; i < length; i++) value |= BigInt(view.getUint8(from + i)) << BigInt(8 * i)
    return Number(BigInt.asIntN(8 * length, value))
  }

  for (;;) {
    opAt = at
    const opcode = view.byteLength > at ? view.getUint8(take(1)) : refuse('ends without STOP')
    switch (opcode) {
      case 0x80: {
        const protocol = view.getUint8(take(1))
        if (protocol < 2 || protocol > 5) return refuse(`protocol ${protocol} is not read`)
        break
      }
      case 0x95: // FRAME
        take(8)
        break
      case 0x2e: {
        const value = pop()
        return stack.length === 0 ? value : refuse('stops with a full stack')
      }
      case 0x28: // MARK
        stack.push(MARK)
        break
      case 0x4e: // NONE
        stack.push(null)
        break
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        stack.push(opcode === 0x88)
        break
      case 0x4a: // BININT
        stack.push(view.getInt32(take(4), true))
        break
      case 0x4b: // BININT1
        stack.push(view.getUint8(take(1)))
        break
      case 0x4d: // BININT2
        stack.push(view.getUint16(take(2), true))
        break
      case 0x8a: // LONG1
        stack.push(long())
        break
      case 0x47: // BINFLOAT
        stack.push(view.getFloat64(take(8)))
        break
      case 0x58: // BINUNICODE
        stack.push(text(view.getUint32(take(4), true)))
        break
      case 0x8c: // SHORT_BINUNICODE
        stack.push(text(view.getUint8(take(1))))
        break
      case 0x29: // EMPTY_TUPLE
        stack.push({ kind: 'tuple', items: [] })
        break
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        stack.push({ kind: 'tuple', items: several(opcode - 0x84) })
        break
      case 0x74: // TUPLE
        stack.push({ kind: 'tuple', items: sinceMark() })
        break
      case 0x5d: // EMPTY_LIST
        stack.push({ kind: 'list', items: [] })
        break
      case 0x61: // APPEND
        append(several(1))
        break
      case 0x65: // APPENDS
        append(sinceMark())
        break
      case 0x7d: // EMPTY_DICT
        stack.push({ kind: 'dict', entries: new Map() })
        break
      case 0x73: // SETITEM
        setItems(several(2))
        break
      case 0x75: // SETITEMS
        setItems(sinceMark())
        break
      case 0x71: // BINPUT
        memo.set(view.getUint8(take(1)), top())
        break
      case 0x72: // LONG_BINPUT
        memo.set(view.getUint32(take(4), true), top())
        break
      case 0x94: // MEMOIZE
        memo.set(memo.size, top())
        break
      case 0x68: // BINGET
        stack.push(recall(view.getUint8(take(1))))
        break
      case 0x6a: // LONG_BINGET
        stack.push(recall(view.getUint32(take(4), true)))
        break
      case 0x63: {
        const module = line()
        stack.push(globalOf(module, line()))
        break
      }
      case 0x93: {
        const [module, name] = several(2)
        stack.push(globalOf(module!, name!))
        break
      }
      case 0x51: // BINPERSID
        stack.push(words.load(pop(), refuse))
        break
      case 0x52: // REDUCE
        stack.push(reduce())
        break
      case 0x62: // BUILD
        build()
        break
      default:
        return refuse(`opcode 0x${opcode.toString(16).padStart(2, '0')}${nameOf(opcode)} is not read`)
    }
  }
}

export const isKind = <K extends 'tuple' | 'list' | 'dict' | 'global' | 'made'>(
  value: PickleValue,
  kind: K,
): value is Extract<PickleValue, { kind: K }> => typeof value === 'object' && value !== null && value.kind === kind

/** Those that one would meet, for the message. */
const REFUSED: Readonly<Record<number, string>> = {
  105: 'INST',
  111: 'OBJ',
  129: 'NEWOBJ',
  146: 'NEWOBJ_EX',
  130: 'EXT1',
  131: 'EXT2',
  132: 'EXT4',
  80: 'PERSID',
  139: 'LONG4',
  141: 'BINUNICODE8',
  143: 'EMPTY_SET',
  66: 'BINBYTES',
  67: 'SHORT_BINBYTES',
  84: 'BINSTRING',
  85: 'SHORT_BINSTRING',
  150: 'BYTEARRAY8',
}

const nameOf = (opcode: number): string => (opcode in REFUSED ? ` (${REFUSED[opcode]})` : '')
