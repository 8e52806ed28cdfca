/**
 * Members of a zip archive that is in memory (APPNOTE.TXT 6.3): stored or deflated, one disk, below 4 GiB. Sizes that
 * the archive claims are checked before memory is taken for them.
 */
import { crc32, inflateRawSync } from 'node:zlib'
import { DatasetError } from '../dataset-error.ts'

export type Zip = {
  readonly names: readonly string[]
  /** Inflates anew at each call; a member's checksum must hold. `name` is one of the names. Throws DatasetError. */
  readonly read: (name: string) => Uint8Array
}

type Member = {
  readonly start: number
  readonly method: number
  readonly packedBytes: number
  readonly bytes: number
  readonly crc: number
}

const END = 0x06054b50
const END_BYTES = 22
const CENTRAL = 0x02014b50
const CENTRAL_BYTES = 46
const LOCAL = 0x04034b50
const LOCAL_BYTES = 30
const LONGEST_COMMENT = 0xffff
const ENCRYPTED = 1
const STORED = 0
const DEFLATED = 8
const LARGEST_MEMBER = 2 ** 31

/** Folders among the members are left out. Throws DatasetError. */
export const openZip = (bytes: Uint8Array, file: string): Zip => {
  const refuse = (what: string, offset: number): never => {
    throw new DatasetError('bad-array', what, { file, offset })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const members = membersOf(view, refuse)
  return {
    names: [...members.keys()],
    read: (name) => {
      const member = members.get(name)
      if (member === undefined) return refuse(`has no member "${name}"`, 0)
      const packed = bytes.subarray(member.start, member.start + member.packedBytes)
      const data = member.method === STORED ? packed : inflate(packed, member, name, refuse)
      if (data.length !== member.bytes || crc32(data) !== member.crc) {
        return refuse(`"${name}" has other bytes than its checksum says`, member.start)
      }
      return data
    },
  }
}

type Refuse = (what: string, offset: number) => never

const inflate = (packed: Uint8Array, { bytes, start }: Member, name: string, refuse: Refuse): Uint8Array => {
  try {
    // zlib asks for at least one byte of room.
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, bytes) })
  } catch (error) {
    return refuse(`"${name}" can't be inflated: ${error instanceof Error ? error.message : error}`, start)
  }
}

const membersOf = (view: DataView, refuse: Refuse): ReadonlyMap<string, Member> => {
  const end = endOf(view, refuse)
  const count = view.getUint16(end + 10, true)
  const centralBytes = view.getUint32(end + 12, true)
  const central = view.getUint32(end + 16, true)
  if (count === 0xffff || centralBytes === 0xffffffff || central === 0xffffffff) {
    return refuse('a ZIP64 archive of more than 65534 members or 4 GiB is not read', end)
  }
  if (view.getUint32(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count) {
    return refuse('an archive over several disks is not read', end)
  }
  // What PyTorch writes has a ZIP64 end record between the directory and the end.
  if (central + centralBytes > end) return refuse('the directory lies behind the end', end)

  const members = new Map<string, Member>()
  const spans: { readonly from: number; readonly to: number }[] = []
  let at = central
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_BYTES > central + centralBytes || view.getUint32(at, true) !== CENTRAL) {
      return refuse(`entry ${i} of ${count} of the directory is broken`, at)
    }
    const nameBytes = view.getUint16(at + 28, true)
    const length = CENTRAL_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
    if (at + length > central + centralBytes) return refuse(`entry ${i} of the directory is cut`, at)
    const name = textOf(view, at + CENTRAL_BYTES, nameBytes)
    const member = memberAt(view, { at, name, central }, refuse)
    if (members.has(name)) return refuse(`two members "${name}"`, at)
    spans.push({ from: view.getUint32(at + 42, true), to: member.start + member.packedBytes })
    if (!name.endsWith('/')) members.set(name, member)
    at += length
  }
  spans.sort((a, b) => a.from - b.from)
  const overlap = spans.find(({ from }, i) => i > 0 && from < spans[i - 1]!.to)
  if (overlap) return refuse('members overlap', overlap.from)
  return members
}

/** The last end record whose comment reaches the end of the file. */
const endOf = (view: DataView, refuse: Refuse): number => {
  const first = Math.max(0, view.byteLength - END_BYTES - LONGEST_COMMENT)
  for (let at = view.byteLength - END_BYTES; at >= first; at--) {
    if (view.getUint32(at, true) !== END) continue
    if (at + END_BYTES + view.getUint16(at + 20, true) === view.byteLength) return at
  }
  return refuse('not a zip archive, or its end is missing', view.byteLength)
}

const memberAt = (
  view: DataView,
  { at, name, central }: { readonly at: number; readonly name: string; readonly central: number },
  refuse: Refuse,
): Member => {
  const flags = view.getUint16(at + 8, true)
  const method = view.getUint16(at + 10, true)
  const crc = view.getUint32(at + 16, true)
  const packedBytes = view.getUint32(at + 20, true)
  const bytes = view.getUint32(at + 24, true)
  const local = view.getUint32(at + 42, true)
  if ((flags & ENCRYPTED) !== 0) return refuse(`"${name}" is encrypted`, at)
  if (method !== STORED && method !== DEFLATED) return refuse(`"${name}" is packed by method ${method}`, at)
  if (bytes > LARGEST_MEMBER || packedBytes > LARGEST_MEMBER) return refuse(`"${name}" is beyond 2 GiB`, at)
  if (method === STORED && bytes !== packedBytes) return refuse(`"${name}" is stored, but has two sizes`, at)
  if (local + LOCAL_BYTES > central || view.getUint32(local, true) !== LOCAL) {
    return refuse(`"${name}" does not begin where the directory says`, local)
  }
  const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true)
  if (start + packedBytes > central) return refuse(`"${name}" reaches beyond the members`, local)
  return { start, method, packedBytes, bytes, crc }
}

const textOf = (view: DataView, at: number, length: number): string =>
  Buffer.from(view.buffer, view.byteOffset + at, length).toString('utf8')
