/**
 * A command's data as a training set: in memory while they fit there, else as a file of tokens in the cache folder, which
 * later commands and the processes of an experiment find again.
 */
import { existsSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { sha256Hex } from '#shared/bundle/hash.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { tokenizerDigest } from '#shared/tokens/digest.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { wholeNumber } from './command-line.ts'
import { readSource, type Source } from './data-source.ts'
import { buildTrainingSet } from './dataset/build-set.ts'
import { asSource, type ExampleSource, readAll, withLabels, withUnlabelled } from './dataset/example-source.ts'
import { fingerprintOf } from './dataset/fingerprint.ts'
import { openFitting } from './dataset/fit-specs.ts'
import type { DatasetWarning, RawExample } from './dataset/raw-set.ts'
import { describeFolder, openFolder } from './dataset/read-folder.ts'
import { PICTURE_DECODER } from './dataset/sources/image-source.ts'
import { openTokenFile, type StoredSet, TokenFileError, writeTokenFile } from './dataset/token-file.ts'
import { installedVersion } from './installed-version.ts'
import type { LabelSpec, TrainingSet } from './model/training-set.ts'

const DEFAULT_LIMIT_MIB = 2048

/** Of this person, also where nobody has a home (a container's user that no one knows). */
const defaultCache = (): string => {
  try {
    return join(homedir(), '.cache', 'understory')
  } catch {
    return join(tmpdir(), `understory-cache-${process.getuid?.() ?? ''}`)
  }
}

export const MEMORY_OPTIONS = {
  'memory-limit': wholeNumber({ least: 0 }).default(DEFAULT_LIMIT_MIB),
  cache: z.string().min(1).optional(),
} as const

export const MEMORY_HELP = `
  --memory-limit MIB   tokens of a folder that would take more memory than this go to disk (default ${DEFAULT_LIMIT_MIB})
  --cache FOLDER       where to (default ~/.cache/understory); may be emptied at any time`

export const memorySchema = z.object({ limitMib: z.int(), cache: z.string() })

/** How much of a set may lie in memory, and where it lies else. It changes no result. */
export type Memory = z.infer<typeof memorySchema>

/** What a run keeps to that says nothing else. */
export const defaultMemory = (): Memory => ({ limitMib: DEFAULT_LIMIT_MIB, cache: defaultCache() })

export const memoryOf = (values: z.output<z.ZodObject<typeof MEMORY_OPTIONS>>): Memory => ({
  limitMib: values['memory-limit'],
  cache: resolve(values.cache ?? defaultCache()),
})

export type OpenSetOptions = {
  readonly memory: Memory
  /** Of a model that goes on learning or is measured; fitted to the training part when absent. */
  readonly specs?: readonly ModalitySpec[]
  /** Likewise; those of the data when absent. */
  readonly labels?: readonly LabelSpec[]
  /** Reads examples that no label is known of, which then stand behind those of the data. */
  readonly more?: () => Promise<readonly RawExample[]>
  /** Looks at the shape of data that are read, and throws when they won't do. */
  readonly check?: (source: Pick<ExampleSource, 'templates'>) => void
  readonly onWarning?: (warning: DatasetWarning) => void
  /** Told to a person who waits. */
  readonly onNote?: (text: string) => void
  readonly signal?: AbortSignal
}

export type OpenedSet = TrainingSet & Disposable

const MIB = 2 ** 20
const AGAIN = 'Start again.'

/** Throws a DatasetError that names what is wrong, and TokenFileError. */
export const openSet = async (source: Source, options: OpenSetOptions): Promise<OpenedSet> => {
  if (source.kind === 'folder') return openFolderSet(source, options)
  const { onWarning = () => {}, more } = options
  const read = asSource(await readSource(source, onWarning))
  return inMemory(more === undefined ? read : withUnlabelled(read, await more()), options)
}

const openFolderSet = async (
  { kind: _, folder, ...reading }: Extract<Source, { kind: 'folder' }>,
  options: OpenSetOptions,
): Promise<OpenedSet> => {
  const { memory, specs, labels, more, onWarning = () => {}, onNote = () => {}, signal } = options
  const isMore = more === undefined ? undefined : true
  const tokenizer = tokenizerDigest(specs ?? [])
  const describe = async () => {
    const description = await describeFolder(folder, reading)
    const root = resolve(folder, description.folder ?? '.')
    const of = {
      root,
      description,
      tokenizer,
      decoder: PICTURE_DECODER,
      understory: installedVersion(),
      labels,
      isMore,
    }
    return { description, root, name: sha256Hex(JSON.stringify(of)) }
  }
  const { description, root, name } = await describe()
  // Tables are read when the folder is opened, all else when tokens are written.
  const files = await fingerprintOf(root, description, 'files')
  const madeOf = async (): Promise<string> => {
    const state = await fingerprintOf(root, description)
    const isSame = (await describe()).name === name && (await fingerprintOf(root, description, 'files')) === files
    if (!isSame) throw new TokenFileError('changed', 'the files of the data set changed while they were read', AGAIN)
    return `${name} ${state}`
  }
  const file = join(memory.cache, `${name.slice(0, 32)}.tokens`)
  const known = existsSync(file) ? openTokenFile(file, await madeOf()) : null
  if (known !== null) return withWarnings(known, onWarning)

  const warnings: DatasetWarning[] = []
  const opened = await openFolder(folder, {
    ...reading,
    scratch: memory.cache,
    onWarning: (warning) => warnings.push(warning),
  })
  const source = more === undefined ? opened : withUnlabelled(opened, await more())
  const bytes = memoryBytes(source)
  if (bytes <= memory.limitMib * MIB) {
    for (const warning of warnings) onWarning(warning)
    return inMemory(source, options)
  }
  options.check?.(source)
  onNote(`tokens of ${source.ids.length} examples would take ${gigabytes(bytes)} GB of memory and go to ${file}`)
  await writeTokenFile(file, labels === undefined ? source : withLabels(source, labels), {
    madeOf,
    warnings,
    ...(specs === undefined ? {} : { specs }),
    ...(signal === undefined ? {} : { signal }),
    onProgress: progressTeller(onNote),
  })
  const made = openTokenFile(file, await madeOf())
  if (made !== null) return withWarnings(made, onWarning)
  throw new TokenFileError('changed', 'the data set changed when its tokens had been written', AGAIN)
}

const inMemory = async (
  source: ExampleSource,
  { specs, labels, check, signal, onWarning = () => {} }: OpenSetOptions,
): Promise<OpenedSet> => {
  check?.(source)
  const raw = await readAll(labels === undefined ? source : withLabels(source, labels), signal)
  const set = buildTrainingSet(raw, { ...(specs === undefined ? {} : { specs }), onWarning })
  return { ...set, [Symbol.dispose]: () => {} }
}

const withWarnings = (set: StoredSet, onWarning: (warning: DatasetWarning) => void): StoredSet => {
  for (const warning of set.warnings) onWarning(warning)
  return set
}

/** Of the tokens and labels, once in the set and once more where threads share them. */
const memoryBytes = ({ templates, labels, ids }: ExampleSource): number => {
  const { featureCount, slots } = layoutOf(openFitting(templates).end())
  return 2 * ids.length * (4 * featureCount + slots.length + 4 * labels.length)
}

const gigabytes = (bytes: number): string => (bytes / 1e9).toPrecision(3)

/** Says so at each tenth. */
const progressTeller = (onNote: (text: string) => void) => {
  let told = 0
  return (done: number, all: number): void => {
    const tenths = Math.floor((10 * done) / all)
    if (tenths > told) onNote(`tokens: ${10 * tenths} % read`)
    told = tenths
  }
}
