/**
 * A training set in a file: the tokens and labels of all examples, then what the set is. Made beside and renamed when it
 * is whole, so that a file of this name is never half written; what ends it is checked before anything is believed, and
 * every row when it is read. It can be made anew at any time, so a file that doesn't fit is no error.
 *
 * | bytes | what |
 * |---|---|
 * | rows | heads and bodies of the training, the validation and the test part (model/stored-rows.ts) |
 * | set | JSON: what it was made of, specs, labels, ids, hash, warnings |
 * | 64 | "understory/token", position and length of the JSON (uint64), its SHA-256 |
 */
import { createHash } from 'node:crypto'
import { closeSync, fstatSync, futimesSync, openSync } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { modalitySpecSchema } from '#shared/bundle/manifest.ts'
import type { Sha256 } from '#shared/domain/ids.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { syncFolder } from '#shared/platform/atomic-file.ts'
import { readAt } from '#shared/platform/read-at.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { tokenize } from '#shared/tokens/tokenize.ts'
import {
  bodyPosition,
  encodeBody,
  encodeHead,
  headPosition,
  labelsOf,
  type RowFormat,
  rowsEnd,
  type StoredRows,
  tokenRowsOf,
} from '../model/stored-rows.ts'
import type { Examples, TrainingSet } from '../model/training-set.ts'
import { type ExampleSource, eachExample } from './example-source.ts'
import { openFitting } from './fit-specs.ts'
import { openHash } from './hash-of.ts'
import type { DatasetWarning, Part } from './raw-set.ts'
import { rowFormat } from './row-format.ts'

const MAGIC = 'understory/token'
const END_BYTES = 64
const PARTS = ['train', 'validation', 'test'] as const satisfies readonly Part[]

const ids = z.array(z.string())

const setSchema = z.object({
  schema: z.literal('token-file/1'),
  madeOf: z.string(),
  task: z.enum(['multi-label', 'single-label']).exactOptional(),
  specs: z.array(modalitySpecSchema).min(1),
  labels: z.array(z.object({ name: z.string(), taxonId: z.string().nullable() })),
  ids: z.object({ train: ids, validation: ids, test: ids }),
  hash: z.string(),
  warnings: z.array(z.object({ code: z.string(), subject: z.string(), count: z.number(), detail: z.string() })),
})

type Written = z.infer<typeof setSchema>

/** Its rows are read from the open file until it is let go. */
export type StoredSet = TrainingSet & Disposable & { readonly warnings: readonly DatasetWarning[] }

/** Why no file was made. All pass when tried again, once there is room or a place, or nobody writes. */
export class TokenFileError extends Error {
  readonly code: 'disk-full' | 'no-place' | 'changed'
  readonly hint: string
  constructor(code: TokenFileError['code'], message: string, hint: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TokenFileError'
    this.code = code
    this.hint = hint
  }
}

/** Null when the file is not there, not whole, or made of something else. `madeOf`: as it was written. */
export const openTokenFile = (file: string, madeOf: string): StoredSet | null => {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw cause
  }
  let set: StoredSet | null = null
  try {
    const written = readEnd(descriptor)
    if (written !== null && written.madeOf === madeOf) set = setOf(written, { descriptor, file })
  } finally {
    if (set === null) closeSync(descriptor)
  }
  if (set !== null) noteUse(descriptor)
  return set
}

/** In the file's time: it says nothing else. */
const noteUse = (descriptor: number): void => {
  const now = new Date()
  try {
    futimesSync(descriptor, now, now)
  } catch {
    // Somebody else's file, or a disk that can't be written to: it is read all the same.
  }
}

const readEnd = (descriptor: number): Written | null => {
  const { size } = fstatSync(descriptor)
  if (size < END_BYTES) return null
  const end = readAt(descriptor, END_BYTES, size - END_BYTES)
  const [position, length] = [Number(end.readBigUInt64LE(16)), Number(end.readBigUInt64LE(24))]
  if (end.toString('latin1', 0, 16) !== MAGIC || position + length + END_BYTES !== size) return null
  const json = readAt(descriptor, length, position)
  if (!createHash('sha256').update(json).digest().equals(end.subarray(32))) return null
  const parsed = setSchema.safeParse(JSON.parse(json.toString('utf8')))
  if (!parsed.success) return null
  const { data } = parsed
  const total = PARTS.reduce((sum, part) => sum + data.ids[part].length, 0)
  const format = rowFormat(data.specs, layoutOf(data.specs), data.labels.length)
  return rowsEnd(format, total) === position ? data : null
}

const setOf = (
  { task, specs, labels, ids, hash, warnings }: Written,
  { descriptor, file }: Pick<StoredRows, 'descriptor' | 'file'>,
): StoredSet => {
  const layout = layoutOf(specs)
  const format = rowFormat(specs, layout, labels.length)
  const first = firstRows(ids)
  const part = (name: Part): Examples => {
    const stored: StoredRows = {
      ...{ descriptor, file, format },
      total: first.end,
      first: first[name],
      count: ids[name].length,
      picked: null,
      hidden: null,
    }
    return { ids: ids[name], rows: tokenRowsOf(stored), labels: labelsOf(stored) }
  }
  return {
    ...(task === undefined ? {} : { task }),
    specs,
    layout,
    labels,
    train: part('train'),
    validation: part('validation'),
    test: ids.test.length === 0 ? null : part('test'),
    hash: hash as Sha256,
    warnings: warnings as readonly DatasetWarning[],
    [Symbol.dispose]: () => closeSync(descriptor),
  }
}

const firstRows = ({ train, validation, test }: Written['ids']) => {
  const last = train.length + validation.length
  return { train: 0, validation: train.length, test: last, end: last + test.length }
}

export type WriteOptions = {
  /** Names what the set is made of: of an equal text an equal set is made. Asked for again at the end. */
  readonly madeOf: () => Promise<string>
  /** As of `buildTrainingSet`. */
  readonly specs?: readonly ModalitySpec[]
  readonly warnings: readonly DatasetWarning[]
  /** Examples that have been read, of all that will be. */
  readonly onProgress?: (done: number, all: number) => void
  readonly signal?: AbortSignal
}

/**
 * Reads all examples twice, once where specs are given: for specs and hash, then for tokens. Holds a few at a time. May run in
 * several processes at once: each writes beside, and the last one's stays. Throws DatasetError, TokenFileError and the
 * signal's reason, and leaves nothing then.
 */
export const writeTokenFile = async (file: string, source: ExampleSource, options: WriteOptions): Promise<void> => {
  const folder = dirname(file)
  const part = `${file}.${process.pid}.part`
  try {
    await using handle = await openPart(folder, part)
    await writeSet(handle, folder, source, options)
    await handle.sync()
  } catch (cause) {
    await rm(part, { force: true }).catch(() => undefined) // what failed before says more
    if (cause instanceof Error && 'code' in cause && NO_ROOM.has(cause.code)) throw diskFull(folder, '', cause)
    throw cause
  }
  await rename(part, file)
  await syncFolder(folder)
}

/** Days without use after which a file is taken away when another one is made. */
const KEPT_DAYS = 30
const DAY_MS = 86_400_000

const openPart = async (folder: string, part: string): Promise<FileHandle> => {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await tidy(folder, part)
    return await open(part, 'wx', 0o600)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && NO_ROOM.has(cause.code)) throw cause
    const hint = 'Name another folder with --cache, or allow more memory with --memory-limit.'
    throw new TokenFileError('no-place', `${folder}: tokens can't be written there`, hint, { cause })
  }
}

/** Takes away what processes left that were killed, and what nobody has used for long. `own`: the part to be made. */
const tidy = async (folder: string, own: string): Promise<void> => {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const [, pid] = /\.tokens\.(\d+)\.part$/.exec(name) ?? []
    const isLeft = pid !== undefined && (path === own || !isRunning(Number(pid)))
    if (isLeft || (/^[0-9a-f]{32}\.tokens$/.test(name) && (await isUnused(path)))) await rm(path, { force: true })
  }
}

const isUnused = async (path: string): Promise<boolean> => {
  const found = await stat(path).catch(() => null) // taken away by another process
  return found !== null && Date.now() - found.mtimeMs > KEPT_DAYS * DAY_MS
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (cause) {
    return !(cause instanceof Error && 'code' in cause && cause.code === 'ESRCH')
  }
}

/** Of the disk, of a quota, of what one file may have. */
const NO_ROOM: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

const diskFull = (folder: string, detail: string, cause?: unknown): TokenFileError =>
  new TokenFileError(
    'disk-full',
    `${folder}: there is no room for the tokens${detail}`,
    'Make room, or name another folder with --cache.',
    { cause },
  )

const writeSet = async (
  handle: FileHandle,
  folder: string,
  source: ExampleSource,
  { madeOf, onProgress = () => {}, signal, ...options }: WriteOptions,
): Promise<void> => {
  const before = await madeOf()
  const { task, labels, ids, parts } = source
  const warnings = [...options.warnings]
  const hash = openHash(source, ids.length)
  const all = options.specs === undefined ? 2 * ids.length : ids.length
  let done = 0
  const next = (): void => {
    signal?.throwIfAborted()
    onProgress(++done, all)
  }

  let specs = options.specs
  if (specs === undefined) {
    const fitting = openFitting(source.templates)
    for await (const example of eachExample(source)) {
      fitting.add(example)
      hash.add(example)
      next()
    }
    specs = fitting.end((warning) => warnings.push(warning))
  }

  const idsOf = (part: Part): string[] => ids.filter((_, i) => parts[i] === part)
  const byPart = { train: idsOf('train'), validation: idsOf('validation'), test: idsOf('test') }
  const row: Record<Part, number> & { readonly end: number } = firstRows(byPart)
  const layout = layoutOf(specs)
  const format = rowFormat(specs, layout, labels.length)
  await requireRoom(folder, format, row.end)
  for await (const example of eachExample(source)) {
    if (options.specs !== undefined) hash.add(example)
    const tokens = tokenize(specs, layout, example.readings, example.window)
    const at = row[example.part]++
    await writeAll(handle, encodeHead(format, tokens.hidden, example.labels), headPosition(format, at))
    await writeAll(handle, encodeBody(format, tokens), bodyPosition(format, row.end, at))
    next()
  }
  if ((await madeOf()) !== before) {
    throw new TokenFileError('changed', 'the files of the data set changed while they were read', 'Start again.')
  }
  const written = {
    schema: 'token-file/1',
    madeOf: before,
    ...(task === undefined ? {} : { task }),
    specs,
    labels,
    ids: byPart,
    hash: hash.end(),
    warnings,
  } satisfies Record<Exclude<keyof Written, 'task'>, unknown>
  await writeEnd(handle, Buffer.from(JSON.stringify(written)), rowsEnd(format, row.end))
}

const requireRoom = async (folder: string, format: RowFormat, rows: number): Promise<void> => {
  const needed = rowsEnd(format, rows)
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize > needed) return
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`
  throw diskFull(folder, `: ${gigabytes(needed)} are needed, ${gigabytes(bavail * bsize)} are free`)
}

const writeEnd = async (handle: FileHandle, json: Buffer, position: number): Promise<void> => {
  const end = Buffer.alloc(END_BYTES)
  end.write(MAGIC, 'latin1')
  end.writeBigUInt64LE(BigInt(position), 16)
  end.writeBigUInt64LE(BigInt(json.length), 24)
  createHash('sha256').update(json).digest().copy(end, 32)
  await writeAll(handle, json, position)
  await writeAll(handle, end, position + json.length)
}

const writeAll = async (handle: FileHandle, bytes: Buffer, position: number): Promise<void> => {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}
