import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { arbitraryRawSet } from '#test/support/arbitrary-raw-set.ts'
import { pickRows, restrictRows } from '../model/token-rows.ts'
import type { TrainingSet } from '../model/training-set.ts'
import { buildTrainingSet } from './build-set.ts'
import { asSource } from './example-source.ts'
import type { DatasetWarning, RawSet } from './raw-set.ts'
import { openTokenFile, type StoredSet, writeTokenFile } from './token-file.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'token-file-'))
})
afterAll(() => rm(folder, { recursive: true }))

const MADE_OF = 'these data'
const options = { madeOf: async () => MADE_OF, warnings: [] }

const stored = async (raw: RawSet, more: object = {}): Promise<StoredSet> => {
  const file = join(folder, 'set.tokens')
  await writeTokenFile(file, asSource(raw), { ...options, ...more })
  const set = openTokenFile(file, MADE_OF)
  if (set === null) throw new Error('a whole file expected')
  return set
}

/** In arrays, whatever it was. */
const plain = ({ train, validation, test: tested, ...set }: TrainingSet) => {
  const part = ({ ids, rows, labels }: TrainingSet['train']) => ({
    ids,
    labels: [...labels.subarray(0, labels.length)],
    // Bits: 0 and −0 differ, and what is hidden counts too.
    rows: Array.from(rows, ({ features, hidden }) => [...new Uint32Array(features.slice().buffer), '|', ...hidden]),
  })
  const { task, specs, layout, labels, hash } = set
  return {
    task,
    specs,
    layout,
    labels,
    hash,
    train: part(train),
    validation: part(validation),
    test: tested && part(tested),
  }
}

describe('a set in a file', () => {
  test('is the set in memory, to the bit', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryRawSet, fc.boolean(), async (raw, isGiven) => {
        const warnings: DatasetWarning[] = []
        const expected = buildTrainingSet(raw, { onWarning: (it) => warnings.push(it) })
        const given = isGiven ? { specs: expected.specs } : {}
        using set = await stored(raw, given)
        expect(plain(set)).toEqual(plain(expected))
        expect(set.warnings).toEqual(isGiven ? [] : warnings)
      }),
      { numRuns: 60 },
    )
  })

  test('reads some rows, some labels and rows through a subset as one in memory does', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryRawSet, fc.array(fc.nat(7)), fc.nat(20), fc.nat(20), async (raw, asked, a, b) => {
        const expected = buildTrainingSet(raw).train
        using set = await stored(raw)
        const { train, layout } = set
        const [from, to] = [Math.min(a, b), Math.max(a, b)].map((at) => Math.min(at, expected.labels.length))
        expect([...train.labels.subarray(from!, to!)]).toEqual([...expected.labels.subarray(from!, to!)])
        const picked = asked.filter((row) => row < expected.rows.length)
        const subset = { hidden: Uint8Array.from(layout.slots, (_, slot) => Number(slot % 3 === 0)) }
        const of = (rows: typeof train.rows) =>
          Array.from(restrictRows(pickRows(rows, picked), subset), ({ features, hidden }) => ({ features, hidden }))
        expect(of(train.rows)).toEqual(of(expected.rows))
        expect(train.rows.at(-1)).toBeUndefined()
        expect(train.rows.at(train.ids.length)).toBeUndefined()
      }),
      { numRuns: 30 },
    )
  })

  test('keeps a pixel in a byte', async () => {
    const raw = imageSet(64)
    using set = await stored(raw)
    const { size } = await stat(join(folder, 'set.tokens'))
    const pixels = raw.examples.length * 64 * 64 * 3
    expect(size).toBeGreaterThan(pixels)
    expect(size).toBeLessThan(1.1 * pixels)
    expect(plain(set)).toEqual(plain(buildTrainingSet(raw)))
  })
})

const imageSet = (side: number): RawSet => ({
  templates: [{ kind: 'image', name: 'eye', width: side, height: side, channels: 3, patch: side / 2 }],
  labels: [{ name: 'owl', taxonId: null }],
  examples: Array.from({ length: 6 }, (_, i) => ({
    id: `e${i}`,
    part: i % 2 === 0 ? 'train' : 'validation',
    window: { startMs: 0, endMs: 1 },
    labels: Float32Array.of(i % 2),
    readings: [
      {
        id: `r${i}` as RawSet['examples'][number]['readings'][number]['id'],
        modality: 'eye',
        observedAtMs: 0,
        content: {
          kind: 'image',
          width: side,
          height: side,
          channels: 3,
          pixels: Uint8Array.from({ length: side * side * 3 }, (_, p) => (p * (i + 7)) % 256),
        },
      },
    ],
  })),
})

describe('damage and bad luck', () => {
  const raw = imageSet(8)
  const file = () => join(folder, 'other.tokens')
  const write = (more: object = {}) => writeTokenFile(file(), asSource(raw), { ...options, ...more })

  test('a file that is absent, of other data, cut anywhere or changed at its end is made anew, never believed', async () => {
    await rm(file(), { force: true })
    expect(openTokenFile(file(), MADE_OF)).toBeNull()
    await write()
    expect(openTokenFile(file(), 'other data')).toBeNull()
    const whole = await readFile(file())
    for (const length of [0, 10, 63, 64, 1000, whole.length - 64, whole.length - 1]) {
      await truncate(file(), length)
      expect(openTokenFile(file(), MADE_OF)).toBeNull()
      await writeFile(file(), whole)
    }
    for (const at of [whole.length - 1, whole.length - 40, whole.length - 60, whole.length - 100]) {
      await writeFile(file(), whole.with(at, whole[at]! ^ 1))
      expect(openTokenFile(file(), MADE_OF)).toBeNull()
    }
    await writeFile(file(), whole)
    using set = openTokenFile(file(), MADE_OF)!
    expect(set.train.ids).toEqual(['e0', 'e2', 'e4'])
  })

  test('a damaged row is found when it is read, and names the file', async () => {
    await write()
    const whole = await readFile(file())
    const heads = 6 * (4 + 4 + 1)
    for (const at of [5, heads + 7]) {
      await writeFile(file(), whole.with(at, whole[at]! ^ 1))
      using set = openTokenFile(file(), MADE_OF)!
      expect(() => set.train.rows.at(0)!.features).toThrow(`${file()}: row 0 is damaged`)
      expect(() => set.train.rows.at(1)!.features).not.toThrow()
    }
  })

  test('what fails in the middle leaves nothing, and the file that was there stays', async () => {
    await write()
    const before = await readFile(file())
    const source = asSource(raw)
    const broken = {
      ...source,
      read: async (i: number) => (i === 4 ? Promise.reject(new Error('no such picture')) : source.read(i)),
    }
    await expect(writeTokenFile(file(), broken, options)).rejects.toThrow('no such picture')
    const stop = AbortSignal.abort(new Error('enough'))
    await expect(write({ signal: stop })).rejects.toThrow('enough')
    let asked = 0
    await expect(write({ madeOf: async () => `${asked++}` })).rejects.toMatchObject({ code: 'changed' })
    expect((await readdir(folder)).filter((name) => name.includes('.part'))).toEqual([])
    expect((await readFile(file())).equals(before)).toBe(true)
  })

  test('what a killed process left beside is removed; what a living one writes is not', async () => {
    const [dead, alive] = [`${file()}.4194304.part`, `${file()}.1.part`]
    for (const name of [dead, alive]) await writeFile(name, 'half')
    await write()
    const left = (await readdir(folder)).filter((name) => name.includes('.part'))
    expect(left).toEqual(['other.tokens.1.part'])
    await rm(alive)
  })

  test('what nobody has used for a month is taken away when another one is made, and nothing else is', async () => {
    const named = (digit: string, end = '.tokens') => join(folder, `${digit.repeat(32)}${end}`)
    const month = new Date(Date.now() - 31 * 86_400_000)
    const [used, unused, foreign, orphan] = [named('a'), named('b'), join(folder, 'mine.tokens'), named('c')]
    await writeTokenFile(used, asSource(raw), options)
    for (const file of [unused, foreign, `${orphan}.4194304.part`]) await writeFile(file, 'old')
    for (const file of [used, unused, foreign]) await utimes(file, month, month)
    openTokenFile(used, MADE_OF)![Symbol.dispose]()
    await write()
    const left = (await readdir(folder)).filter((name) => /^(a{32}|b{32}|c{32}|mine)\.tokens/.test(name))
    expect(left.sort()).toEqual([basename(used), 'mine.tokens'])
    for (const file of [used, foreign]) await rm(file)
  })

  test('what can have no room is not begun', async () => {
    const size = 10_000_000
    const huge = {
      ...asSource({ ...raw, templates: [{ kind: 'embedding', name: 'song', encoder: 'e', size }], examples: [] }),
      ids: new Array<string>(10_000_000).fill('e'),
      parts: new Array<'train'>(10_000_000).fill('train'),
      read: () => Promise.reject(new Error('nothing is read')),
    }
    const scale = new Array<number>(size).fill(1)
    const specs = [{ kind: 'embedding', name: 'song', encoder: 'e', size, mean: scale, deviation: scale }] as const
    await expect(writeTokenFile(join(folder, 'huge.tokens'), huge, { ...options, specs })).rejects.toMatchObject({
      code: 'disk-full',
      message: expect.stringMatching(/no room for the tokens: 4\d{5}\.\d GB are needed, [\d.]+ GB are free/),
    })
    expect((await readdir(folder)).filter((name) => name.startsWith('huge'))).toEqual([])
  })

  test('a reader goes on with its rows when the file is replaced or removed', async () => {
    await write()
    using set = openTokenFile(file(), MADE_OF)!
    const before = [...set.train.rows.at(1)!.features]
    await write()
    expect([...set.train.rows.at(1)!.features]).toEqual(before)
    await rm(file())
    expect([...set.train.rows.at(2)!.hidden]).toEqual([0, 0, 0, 0])
  })
})
