import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256Hex } from '#shared/bundle/hash.ts'
import { manifestSchema } from '#shared/bundle/manifest.ts'
import { decodeVectors } from '#shared/bundle/vectors.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { openSession } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { defaultModelConfig, type ModelConfig } from '../model/config.ts'
import { buildInferenceGraph } from '../model/inference-graph.ts'
import { initialWeights, parameterTable } from '../model/parameters.ts'
import { standardSubsets } from '../model/subset.ts'
import type { ExportError } from './export-error.ts'
import { selfTestRows } from './self-test-rows.ts'
import { verifyExport } from './verify.ts'
import { type BundleOptions, writeBundle } from './write-bundle.ts'

const specs: readonly ModalitySpec[] = [
  {
    kind: 'tabular',
    name: 'weather',
    variables: ['t', 'rain', 'wind'].map((name) => ({ type: 'number', name, mean: 0, deviation: 1 }) as const),
  },
  {
    kind: 'series',
    name: 'hourly',
    stepMs: 1,
    periods: 4,
    stepsPerPeriod: 2,
    variables: [{ name: 't', mean: 0, deviation: 1 }],
  },
  { kind: 'image', name: 'camera', width: 8, height: 8, channels: 1, patch: 4, mean: [0], deviation: [1] },
]
const layout = layoutOf(specs)
const random = randomStream(1, 'export test')
/** Each token is there with probability 0.7; the features of missing ones are zero. */
const rows: readonly TokenSet[] = Array.from({ length: 30 }, () => {
  const hidden = Uint8Array.from(layout.slots, () => (random.uniform() < 0.3 ? 1 : 0))
  const features = new Float32Array(layout.featureCount)
  for (const [s, { block, offset }] of layout.slots.entries()) {
    for (let i = 0; i < layout.blocks[block]!.features; i++)
      features[offset + i] = hidden[s] === 1 ? 0 : random.normal()
  }
  return { features, hidden }
})

const modelOf = (changes: Partial<ModelConfig> = {}) => {
  const config: ModelConfig = {
    ...defaultModelConfig(3),
    width: 16,
    layers: 2,
    heads: 2,
    feedForward: 32,
    frequencies: 4,
    ...changes,
  }
  const table = parameterTable(config, layout)
  return { config, table, weights: initialWeights(table, config, layout, randomStream(2, 'weights')) }
}

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-'))
})
afterEach(() => rm(folder, { recursive: true }))

const optionsOf = (changes: Partial<BundleOptions> = {}): BundleOptions => ({
  folder: join(folder, 'bundle'),
  set: {
    specs,
    layout,
    labels: ['owl', 'fox', 'roe deer'].map((name) => ({ name, taxonId: null })),
    validation: { ids: rows.map((_, i) => `${i}`), rows, labels: new Float32Array(90) },
    hash: sha256Hex('set'),
  },
  ...modelOf(),
  family: 'valley',
  parent: null,
  createdAtMs: Date.UTC(2026, 4, 14),
  scores: [{ subset: 'all', metric: 'macro-auc', value: 0.7, low: 0.6, high: 0.8 }],
  scoredOn: 'test',
  calibration: [{ group: '*', temperature: 1.5 }],
  thresholds: [0.5, 0.25, 0.5],
  strategy: { name: 'miam', kappa: 10 },
  seed: 5,
  ...changes,
})

describe('self-test rows', () => {
  const chosen = selfTestRows(layout, rows, standardSubsets(layout), { seed: 1, count: 64 })
  const visible = ({ hidden }: TokenSet) => hidden.filter((bit) => bit === 0).length

  test('cover nothing, single tokens and every subset', () => {
    expect(chosen).toHaveLength(64)
    expect(visible(chosen[0]!.row)).toBe(0)
    expect(chosen.slice(1, 4).map(({ row }) => visible(row))).toEqual([1, 1, 1])
    const modalitiesOf = ({ hidden }: TokenSet) =>
      [...new Set(layout.slots.filter((_, s) => hidden[s] === 0).map(({ modality }) => modality))].join('')
    const seen = new Set(chosen.map(({ row }) => modalitiesOf(row)))
    for (const subset of ['', '0', '1', '2', '01', '02', '12', '012']) expect(seen).toContain(subset)
  })

  test('have zeros where they hide', () => {
    for (const { row } of chosen) {
      for (const [s, { offset }] of layout.slots.entries())
        if (row.hidden[s] === 1) expect(row.features[offset]).toBe(0)
    }
  })

  test('are filled up with whole observations when subsets show nothing, and refused when nothing does', () => {
    const only = rows.map(({ features }) => {
      const hidden = new Uint8Array(layout.slots.length).fill(1)
      hidden[0] = 0
      return { features, hidden }
    })
    expect(selfTestRows(layout, only, standardSubsets(layout), { seed: 1, count: 64 })).toHaveLength(64)
    const blind = only.map(({ features }) => ({ features, hidden: new Uint8Array(layout.slots.length).fill(1) }))
    expect(() => selfTestRows(layout, blind, [], { seed: 1, count: 64 })).toThrow('shows anything')
  })
})

describe.each(['drop', 'replace'] as const)('a bundle in %s mode', (mode) => {
  test('holds a model that gives the logits of its vectors, and a manifest that says so', async () => {
    const { manifest, verification } = await writeBundle(optionsOf(modelOf({ mode })))
    expect(verification.rows).toBe(64)
    expect(verification.againstTraining).toBeLessThan(1e-5)
    expect(verification.againstTraining).toBeGreaterThan(0) // the graphs really are two
    expect(await readdir(folder)).toEqual(['bundle'])

    const read = (name: string) => readFile(join(folder, 'bundle', name))
    expect(manifestSchema.parse(JSON.parse((await read('manifest.json')).toString()))).toEqual(manifest)
    for (const [name, role] of [
      ['model.onnx', 'model'],
      ['vectors.json', 'vectors'],
    ] as const) {
      const bytes = await read(name)
      expect(manifest.files[role]).toEqual({ sha256: sha256Hex(bytes), length: bytes.length })
    }
    expect(manifest.labels[1]).toEqual({ name: 'fox', taxonId: null, threshold: 0.25 })
    expect(manifest.graph.outputs).toEqual([{ name: 'logits', type: 'float32', shape: ['B', 3] }])

    const session = await openSession(await read('model.onnx'))
    expect(manifest.graph.inputs.map(({ name }) => name).sort()).toEqual([...session.inputNames].sort())
    const vectors = decodeVectors(await read('vectors.json'))
    if (!vectors.ok) throw new Error(vectors.error)
    const { absolute, relative } = manifest.tolerance
    for (const vector of vectors.value) {
      const { logits } = await session.run(packInferenceBatch(layout, mode, [vector]))
      for (const [i, z] of vector.logits.entries()) {
        expect(Math.abs(logits!.data[i]! - z)).toBeLessThanOrEqual(absolute + relative * Math.abs(z))
      }
    }
    await session.close()
  })

  test('is not written when a weight of the exported file is another', async () => {
    const { config, table, weights } = modelOf({ mode })
    const tampered = weights.slice()
    tampered[table.specs.find(({ name }) => name === 'layer.0.feed.in.weight')!.offset]! += 0.01
    const task = { model: buildInferenceGraph(config, layout, tampered), config, layout, weights, rows }
    const failure = (await verifyExport(task).catch((cause: unknown) => cause)) as ExportError
    expect(failure.code).toBe('verification')
    expect(failure.message).toMatch(/logits differ by up to 0\.00\d+ from the training graph's/)
  })
})

test('a model that was trained with dropout is exported without any, and says nothing of it', async () => {
  const { config, weights } = modelOf({ dropout: 0.3 })
  const { verification } = await writeBundle(optionsOf({ config, weights }))
  expect(verification.againstTraining).toBeLessThan(1e-5)
  const plain = modelOf()
  expect(buildInferenceGraph(config, layout, weights)).toEqual(buildInferenceGraph(plain.config, layout, plain.weights))
})

test('weights that are no numbers fail the verification, and an unreadable model is named as such', async () => {
  const { config, weights } = modelOf()
  const broken = writeBundle(optionsOf({ weights: weights.map((w, i) => (i === 0 ? Number.NaN : w)) }))
  await expect(broken).rejects.toMatchObject({ code: 'verification' })
  expect(await readdir(folder)).toEqual([])
  const task = { model: Uint8Array.of(1, 2, 3), config, layout, weights, rows }
  await expect(verifyExport(task)).rejects.toMatchObject({ code: 'runtime' })
})

test('a second bundle replaces the first as a whole', async () => {
  const first = await writeBundle(optionsOf())
  const second = await writeBundle(optionsOf({ seed: 6 }))
  expect(second.manifest.files.vectors.sha256).not.toBe(first.manifest.files.vectors.sha256)
  expect(JSON.parse(await readFile(join(folder, 'bundle', 'manifest.json'), 'utf8')).provenance).toMatchObject({
    seed: 6,
    scoredOn: 'test',
  })
  expect(await readdir(folder)).toEqual(['bundle'])
})
