/** A folder whose tokens go to disk: the same set, the same training and the same scores to the bit, and made once. */
import { writeFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeFolder } from '#test/support/data-folder.ts'
import { describedData } from '#test/support/datasets.ts'
import { geoPlantFiles, someSurveys } from '#test/support/geoplant-files.ts'
import type { Source } from './data-source.ts'
import type { DatasetWarning } from './dataset/raw-set.ts'
import { evaluateSubsets } from './evaluation/evaluate.ts'
import { withLabelShare } from './label-share.ts'
import { defaultModelConfig } from './model/config.ts'
import { openPredictor } from './model/predictor.ts'
import { standardSubsets } from './model/subset.ts'
import type { TrainingSet } from './model/training-set.ts'
import { type OpenedSet, openSet } from './open-set.ts'
import { restrictSet } from './oracle.ts'
import { DEFAULT_TRAINING, train } from './training/train.ts'

let folder: string
let cache: string
let source: Extract<Source, { kind: 'folder' }>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'open-set-'))
  cache = join(folder, 'cache')
  source = { kind: 'folder', folder: join(folder, 'geoplant') }
  const description = await readFile(join(describedData('geoplant'), 'dataset.json'))
  await writeFolder(source.folder, { ...(await geoPlantFiles(someSurveys(40, 12))), 'dataset.json': description })
})
afterAll(() => rm(folder, { recursive: true }))

const open = (limitMib: number, more: object = {}): Promise<OpenedSet> =>
  openSet(source, { memory: { limitMib, cache }, ...more })

const trained = (set: TrainingSet) =>
  train({
    ...DEFAULT_TRAINING,
    set,
    config: { ...defaultModelConfig(set.labels.length), width: 8, layers: 1, heads: 2, feedForward: 8, frequencies: 2 },
    strategy: { name: 'uniform' },
    seed: 1,
    epochs: 1,
    batchSize: 8,
    workers: 2,
    folder: null,
    startFrom: null,
  })

const measured = async (set: TrainingSet, { weights, config }: Awaited<ReturnType<typeof trained>>) => {
  await using predictor = await openPredictor(config, set.layout, weights, { threads: 1 })
  const options = { seed: 1, resamples: 20 }
  const { scores, seen } = await evaluateSubsets(predictor.predict, set.test!, standardSubsets(set.layout), options)
  return { scores, logits: seen.map(({ logits }) => Array.from(logits)) }
}

describe('a set in memory and the same one on disk', () => {
  test('have equal examples, weights after an epoch, and scores, for an oracle and on a share of the labels too', async () => {
    using inMemory = await open(2048)
    expect(await readdir(folder)).toEqual(['geoplant'])
    using onDisk = await open(0)
    expect([onDisk.train.rows.stored, inMemory.train.rows.stored].map((it) => it === undefined)).toEqual([false, true])
    const { specs, labels, layout, hash } = inMemory
    expect(onDisk).toMatchObject({ specs, labels, layout, hash })
    for (const part of ['train', 'validation', 'test'] as const) {
      expect(onDisk[part]!.ids).toEqual(inMemory[part]!.ids)
      const plain = ({ rows }: TrainingSet['train']) =>
        Array.from(rows, ({ features, hidden }) => ({ features, hidden }))
      expect(plain(onDisk[part]!)).toEqual(plain(inMemory[part]!))
    }

    const [expected, model] = [await trained(inMemory), await trained(onDisk)]
    expect(model.weights).toEqual(expected.weights)
    expect(model.epochs.map(({ scores, loss }) => [scores, loss])).toEqual(
      expected.epochs.map(({ scores, loss }) => [scores, loss]),
    )
    expect(await measured(onDisk, model)).toEqual(await measured(inMemory, expected))

    const [subset] = standardSubsets(layout)
    const [oracle, other] = [await trained(restrictSet(onDisk, subset!)), await trained(restrictSet(inMemory, subset!))]
    expect(oracle.weights).toEqual(other.weights)
    expect(oracle.weights).not.toEqual(model.weights)

    const [some, same] = [
      await trained(withLabelShare(onDisk, 0.5, 1)),
      await trained(withLabelShare(inMemory, 0.5, 1)),
    ]
    expect(some.weights).toEqual(same.weights)
    expect(some.weights).not.toEqual(model.weights)
  })

  test('have equal examples in the terms of a model', async () => {
    using fitted = await open(2048)
    const specs = fitted.specs.map((spec) =>
      spec.kind === 'image' ? { ...spec, mean: spec.mean.map(() => 0.5) } : spec,
    )
    const labels = [{ name: 'unknown here', taxonId: null }, ...fitted.labels.toReversed()]
    using inMemory = await open(2048, { specs, labels })
    using onDisk = await open(0, { specs, labels })
    expect(onDisk.hash).toBe(inMemory.hash)
    const { length } = inMemory.train.labels
    expect(onDisk.train.labels.subarray(0, length)).toEqual(inMemory.train.labels.subarray(0, length))
    const features = (set: TrainingSet) => Array.from(set.train.rows, (row) => row.features)
    expect(features(onDisk)).toEqual(features(inMemory))
    expect(features(onDisk)).not.toEqual(features(fitted))
  })
})

test.each([0, 2048])('who has enough of reading is heard, with %d MiB of memory', async (limitMib) => {
  const memory = { limitMib, cache: join(folder, 'stopped') }
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(openSet(source, { memory, signal })).rejects.toThrow('enough')
})

describe('the file of tokens', () => {
  const files = async () => {
    const names = (await readdir(cache)).sort()
    return Promise.all(names.map(async (name) => [name, (await stat(join(cache, name))).ino] as const))
  }

  test('is made once, and tells its warnings again', async () => {
    const told: DatasetWarning[][] = []
    for (const limit of [0, 0, 2048]) {
      const warnings: DatasetWarning[] = []
      using _ = await open(limit, { onWarning: (it: DatasetWarning) => warnings.push(it) })
      told.push(warnings)
    }
    expect(told[0]!.length).toBeGreaterThan(0)
    expect(told[1]).toEqual(told[0])
    expect(told[2]).toEqual(told[0])
    const before = await files()
    using _ = await open(0)
    expect(await files()).toEqual(before)
  })

  test('is made anew when a table changes, or a picture comes or goes', async () => {
    const hashes: string[] = []
    const look = async () => {
      using set = await open(0)
      hashes.push(set.hash)
    }
    await look()
    const table = join(source.folder, 'PA_elevation.csv')
    const text = await readFile(table, 'utf8')
    await writeFile(table, text.replace(/,([\d.]+)/, ',7'))
    await look()
    await writeFile(table, text)
    await look()
    const patches = join(source.folder, 'patches_nir')
    const [picture] = (await readdir(patches, { recursive: true })).filter((name) => name.endsWith('.jpeg'))
    const bytes = await readFile(join(patches, picture!))
    await rm(join(patches, picture!))
    await look()
    await writeFile(join(patches, picture!), bytes)
    await look()
    const [first, changed, again, without, whole] = hashes
    expect([again, whole]).toEqual([first, first])
    expect(new Set([first, changed, without]).size).toBe(3)
  })

  test.each(['PA_elevation.csv', 'dataset.json'])('is not made of %s as it was before it changed', async (name) => {
    const file = join(source.folder, name)
    const text = await readFile(file, 'utf8')
    const fresh = join(folder, 'fresh')
    // The tables have been read, and no tokens yet.
    const onNote = (note: string) => {
      if (note.includes('go to'))
        writeFileSync(file, text.replace('"about": "', '"about": "new ').replace(/,([\d.]+)/, ',8'))
    }
    try {
      const opened = openSet(source, { memory: { limitMib: 0, cache: fresh }, onNote })
      await expect(opened).rejects.toMatchObject({ code: 'changed' })
      expect(await readdir(fresh)).toEqual([])
    } finally {
      await writeFile(file, text)
    }
  })

  test('is made anew from a damaged one', async () => {
    using before = await open(0)
    for (const [name] of await files()) {
      await writeFile(join(cache, 'nonsense'), 'nonsense')
      await rename(join(cache, 'nonsense'), join(cache, name))
    }
    using set = await open(0)
    expect(set.hash).toBe(before.hash)
    // Who had it open reads on.
    expect(before.train.rows.at(0)!.features).toEqual(set.train.rows.at(0)!.features)
  })

  test('has no place where no folder can be', async () => {
    await writeFile(join(folder, 'a file'), '')
    const nowhere = { limitMib: 0, cache: join(folder, 'a file', 'cache') }
    await expect(openSet(source, { memory: nowhere })).rejects.toMatchObject({
      code: 'no-place',
      message: `${nowhere.cache}: tokens can't be written there`,
      cause: { code: 'ENOTDIR' },
    })
  })
})
