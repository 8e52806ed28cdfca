/** Data sets whose examples are read when they are asked for: all at once into memory, or one after the other. */
import type { LabelSpec } from '../model/training-set.ts'
import type { Part, RawExample, RawSet } from './raw-set.ts'

export type ExampleSource = Omit<RawSet, 'examples'> & {
  /** Of all examples, in their order. */
  readonly ids: readonly string[]
  readonly parts: readonly Part[]
  /** Reads and decodes it anew at each call. Throws DatasetError. */
  readonly read: (example: number) => Promise<RawExample>
}

/** Examples whose files are read and decoded at once. */
const AT_ONCE = 16

/** All of them, in order. Holds a few at a time. */
export async function* eachExample({ ids, read }: ExampleSource): AsyncGenerator<RawExample> {
  for (let first = 0; first < ids.length; first += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, ids.length - first) }, (_, i) => read(first + i))
    yield* await Promise.all(some)
  }
}

/** Throws the signal's reason, too. */
export const readAll = async (source: ExampleSource, signal?: AbortSignal): Promise<RawSet> => {
  const { ids: _, parts: __, read: ___, ...rest } = source
  const examples: RawExample[] = []
  for await (const example of eachExample(source)) {
    signal?.throwIfAborted()
    examples.push(example)
  }
  return { ...rest, examples }
}

/** From the labels of an example to others by name, NaN for those that it lacks. */
export const relabelling = (
  had: readonly LabelSpec[],
  wanted: readonly LabelSpec[],
): ((labels: Float32Array) => Float32Array) => {
  const column = wanted.map(({ name }) => had.findIndex((label) => label.name === name))
  return (labels) => Float32Array.from(column, (c) => (c < 0 ? Number.NaN : labels[c]!))
}

export const withLabels = (source: ExampleSource, labels: readonly LabelSpec[]): ExampleSource => {
  const relabel = relabelling(source.labels, labels)
  return {
    ...source,
    labels,
    read: async (example) => {
      const read = await source.read(example)
      return { ...read, labels: relabel(read.labels) }
    },
  }
}

/** With others behind its own, of which no label is known; theirs are not looked at. */
export const withUnlabelled = (source: ExampleSource, more: readonly RawExample[]): ExampleSource => {
  const { ids, parts, labels, read } = source
  const unknown = new Float32Array(labels.length).fill(Number.NaN)
  return {
    ...source,
    ids: [...ids, ...more.map(({ id }) => id)],
    parts: [...parts, ...more.map(({ part }) => part)],
    read: async (example) =>
      example < ids.length ? read(example) : { ...more[example - ids.length]!, labels: unknown },
  }
}

export const asSource = ({ examples, ...rest }: RawSet): ExampleSource => ({
  ...rest,
  ids: examples.map(({ id }) => id),
  parts: examples.map(({ part }) => part),
  read: async (example) => examples[example]!,
})
