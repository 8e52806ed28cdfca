/** Data sets whose examples are read when they are asked for: all at once into memory, or one after the other. */
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

export const readAll = async (source: ExampleSource): Promise<RawSet> => {
  const { ids: _, parts: __, read: ___, ...rest } = source
  const examples: RawExample[] = []
  for await (const example of eachExample(source)) examples.push(example)
  return { ...rest, examples }
}

export const asSource = ({ examples, ...rest }: RawSet): ExampleSource => ({
  ...rest,
  ids: examples.map(({ id }) => id),
  parts: examples.map(({ part }) => part),
  read: async (example) => examples[example]!,
})
