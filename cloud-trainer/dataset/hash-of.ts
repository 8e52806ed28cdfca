/**
 * One hash of everything that a data set says: equal data give an equal hash, any changed cell another one. The order
 * of variables within a reading doesn't count, the order of examples does: training depends on it.
 */
import { createHash, type Hash } from 'node:crypto'
import type { Sha256 } from '#shared/domain/ids.ts'
import type { ReadingContent } from '#shared/domain/reading.ts'
import type { RawExample, RawSet } from './raw-set.ts'

/** Rises when equal data get another hash. */
const HASH_VERSION = 1

/** Takes the examples one after the other, as many as were said. */
export const openHash = (
  { task, templates, labels }: Omit<RawSet, 'examples'>,
  examples: number,
): { readonly add: (example: RawExample) => void; readonly end: () => Sha256 } => {
  const hash = createHash('sha256')
  // JSON leaves out what is undefined: multi-label sets keep the hash that they had before there were tasks.
  const other = task === 'single-label' ? task : undefined
  addJson(hash, { version: HASH_VERSION, task: other, templates, labels, examples })
  return { add: (example) => addExample(hash, example), end: () => hash.digest('hex') as Sha256 }
}

export const hashOf = (raw: RawSet): Sha256 => {
  const hash = openHash(raw, raw.examples.length)
  for (const example of raw.examples) hash.add(example)
  return hash.end()
}

const addExample = (hash: Hash, { id, part, window, readings, labels }: RawExample): void => {
  // NaN is no JSON; 2 stands for unknown.
  const known = Array.from(labels, (value) => (Number.isNaN(value) ? 2 : value))
  addJson(hash, [id, part, window.startMs, window.endMs, known, readings.length])
  for (const reading of readings) {
    addJson(hash, [reading.id, reading.modality, reading.observedAtMs])
    addJson(hash, headOf(reading.content))
    const bytes = bytesOf(reading.content)
    if (bytes !== null) hash.update(bytes)
  }
}

/** The content without its bytes, but with their length. */
const headOf = (content: ReadingContent): unknown => {
  switch (content.kind) {
    case 'scalars':
      return ['scalars', sorted(content.values)]
    case 'series':
      return ['series', content.stepMs, sorted(content.variables)]
    case 'image': {
      const { width, height, channels, pixels } = content
      return ['image', width, height, channels, pixels.length]
    }
    case 'audio': {
      const { frontEnd, frames, levels } = content
      return ['audio', sorted(frontEnd), frames, levels.length]
    }
    case 'location':
      return ['location', content.latitude, content.longitude, content.elevationM]
    case 'embedding':
      return ['embedding', content.encoder, content.vector]
  }
}

const bytesOf = (content: ReadingContent): Uint8Array | null => {
  if (content.kind === 'image') return content.pixels
  return content.kind === 'audio' ? content.levels : null
}

const sorted = (record: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown])[] =>
  Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))

/** A line each: JSON has no raw line breaks, so no two sequences of values make equal bytes. */
const addJson = (hash: Hash, value: unknown): void => void hash.update(`${JSON.stringify(value)}\n`)
