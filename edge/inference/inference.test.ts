import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { probabilitiesOf } from '#shared/bundle/calibration.ts'
import type { ModelVersion } from '#shared/domain/ids.ts'
import { silentLog } from '#shared/platform/log.ts'
import { randomStream } from '#shared/std/random.ts'
import type { TokenSet } from '#shared/tokens/layout.ts'
import { createModelBundle, type ModelBundle, randomTokens, referenceLogits } from '#test/support/model-bundle.ts'
import { InferenceError, type InferenceOptions, startInference } from './inference.ts'

const version = 'valley@0123456789ab' as ModelVersion
const log = silentLog()
let bundle: ModelBundle

beforeAll(async () => {
  bundle = await createModelBundle()
})
afterAll(() => bundle[Symbol.asyncDispose]())

const start = (options: Partial<InferenceOptions> = {}) =>
  startInference({ version, manifest: bundle.manifest, modelFile: bundle.modelFile, log, ...options })

const tokenSets = (count: number, seed: number): TokenSet[] => {
  const random = randomStream(seed, 'inference-test')
  return Array.from({ length: count }, () => randomTokens(bundle.layout, random))
}

const weatherOnly = ({ features }: TokenSet): TokenSet => ({
  features,
  hidden: Uint8Array.from(bundle.layout.slots, ({ modality }) => (modality === 0 ? 0 : 1)),
})

/** Ends with the kind of failure, or "answered". */
const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'answered',
    (cause) => (cause instanceof InferenceError ? cause.code : String(cause)),
  )

test('answers are the calibrated logits of the model, in order, with their evidence', async () => {
  await using model = await start()
  const rows = tokenSets(70, 1)
  rows[5] = weatherOnly(rows[5]!)
  const answers = await model.predict(rows)
  const logits = await referenceLogits(bundle.model, bundle.layout, 'drop', rows)
  expect(answers).toHaveLength(70)
  for (const [i, { probabilities, evidence }] of answers.entries()) {
    const onlyWeather = evidence.soil!.visibleTokens + evidence.song!.visibleTokens === 0
    const expected = probabilitiesOf(logits[i]!, onlyWeather && evidence.weather!.visibleTokens > 0 ? 2 : 1.5)
    for (const [label, p] of probabilities.entries()) expect(p).toBeCloseTo(expected[label]!, 6)
  }
  expect(answers[5]!.evidence).toEqual({
    weather: { visibleTokens: 3, totalTokens: 3 },
    soil: { visibleTokens: 0, totalTokens: 2 },
    song: { visibleTokens: 0, totalTokens: 1 },
  })
  expect(await model.predict([])).toEqual([])
})

test('values of hidden tokens never change an answer, bit by bit, in either mode', async () => {
  for (const mode of ['drop', 'replace'] as const) {
    await using other = await createModelBundle({ config: { mode } })
    await using model = await start({ manifest: other.manifest, modelFile: other.modelFile })
    const rows = tokenSets(40, 2)
    const disturbed = rows.map(({ hidden, features }) => {
      const noisy = Float32Array.from(features)
      for (const [s, { block, offset }] of bundle.layout.slots.entries()) {
        if (hidden[s] === 1) noisy.fill(Number.NaN, offset, offset + bundle.layout.blocks[block]!.features)
      }
      return { hidden, features: noisy }
    })
    expect(disturbed.some(({ features }) => features.some(Number.isNaN))).toBe(true)
    expect(await model.predict(disturbed)).toEqual(await model.predict(rows))
  }
})

test('calls made before closing are answered, later ones refused', async () => {
  const model = await start()
  const calls = tokenSets(20, 3).map((row) => outcome(model.predict([row])))
  const closed = model[Symbol.asyncDispose]()
  expect(await outcome(model.predict(tokenSets(1, 4)))).toBe('closed')
  await closed
  expect(await Promise.all(calls)).toEqual(Array(20).fill('answered'))
})

test('more waiting calls than the bound are refused, and none of the others is lost', async () => {
  await using model = await start()
  const outcomes = await Promise.all(tokenSets(300, 5).map((row) => outcome(model.predict([row]))))
  expect(outcomes.filter((one) => one === 'answered')).toHaveLength(256)
  expect(outcomes.filter((one) => one === 'busy')).toHaveLength(44)
})

/** The inference processes of this test process. */
const pids = (events: readonly { readonly pid?: number }[]): number[] =>
  events.flatMap(({ pid }) => (pid === undefined ? [] : [pid]))

const recordingLog = () => {
  const events: { readonly message: string; readonly pid?: number }[] = []
  const write = (values: object, message: string) => void events.push({ ...values, message })
  const recorded = { debug: write, info: write, warn: write, error: write, child: () => recorded }
  return { events, log: recorded }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a process that dies fails the calls under way and all later ones', async () => {
  const recorded = recordingLog()
  await using model = await start({ log: recorded.log })
  const [pid] = pids(recorded.events)
  expect(isAlive(pid!)).toBe(true)
  const calls = [model.predict(tokenSets(2000, 6)), model.predict(tokenSets(1, 7))].map(outcome)
  await sleep(5)
  process.kill(pid!, 'SIGKILL')
  expect(await Promise.all(calls)).toEqual(['crashed', 'crashed'])
  expect(await outcome(model.predict(tokenSets(1, 8)))).toBe('crashed')
})

test('a process that does not answer in time is killed', async () => {
  const recorded = recordingLog()
  await using model = await start({ log: recorded.log, answerLimitMs: 100 })
  const [pid] = pids(recorded.events)
  process.kill(pid!, 'SIGSTOP')
  expect(await outcome(model.predict(tokenSets(1, 9)))).toBe('timeout')
  expect(await outcome(model.predict(tokenSets(1, 9)))).toBe('timeout')
  await model[Symbol.asyncDispose]()
  expect(isAlive(pid!)).toBe(false)
})

test('a process that has grown is replaced between two answers, and nobody notices', async () => {
  // Attention over 600 tokens makes the arena of a fresh process grow beyond any doubt.
  const size = 600
  await using large = await createModelBundle({
    specs: [
      {
        kind: 'tabular',
        name: 'weather',
        variables: Array.from({ length: size }, (_, i) => ({ type: 'number', name: `v${i}`, mean: 0, deviation: 1 })),
      },
    ],
    cases: 1,
  })
  const recorded = recordingLog()
  const { manifest, modelFile, layout } = large
  const model = await start({ manifest, modelFile, memoryCeilingBytes: 200 << 20, log: recorded.log })
  const tokens = { features: new Float32Array(size).fill(1), hidden: new Uint8Array(size) }
  const [first] = await model.predict([tokens])
  expect(layout.slots).toHaveLength(size)
  await model.predict(Array(32).fill(tokens))
  while (pids(recorded.events).length < 2) {
    expect(await model.predict([tokens])).toEqual([first])
  }
  expect(await model.predict([tokens])).toEqual([first])
  const [old, fresh] = pids(recorded.events)
  expect(isAlive(fresh!)).toBe(true)
  while (isAlive(old!)) await sleep(10)
  await model[Symbol.asyncDispose]()
  expect(isAlive(fresh!)).toBe(false)
})

test('a model that does not fit its manifest is not loaded', async () => {
  const check = async (manifest: Partial<typeof bundle.manifest>, reason: string) => {
    const failure = await start({ manifest: { ...bundle.manifest, ...manifest } }).then(
      () => null,
      (cause) => cause,
    )
    expect(failure).toBeInstanceOf(InferenceError)
    expect(failure.code).toBe('load')
    expect(failure.message).toContain(reason)
  }
  const { graph, labels, modalities } = bundle.manifest
  await check({ labels: labels.slice(1) }, 'no output logits of 2 labels')
  await check({ graph: { ...graph, opset: 20 } }, 'operator set 21, the manifest says 20')
  await check({ graph: { ...graph, inputs: graph.inputs.slice(1) } }, 'input x.weather.number is not in the manifest')
  await check({ modalities: modalities.slice(1) }, 'nothing is fed to input x.weather')
  await check({ modalities: [...modalities, { ...modalities[1]!, name: 'bog' } as never] }, 'no input x.bog')
  await check({ modalities: [modalities[0]!, modalities[0]!] }, 'modalities differ in name')
  const vast = { kind: 'image', name: 'sky', width: 1e8, height: 1e8, channels: 3, patch: 1, mean: [], deviation: [] }
  await check({ modalities: [vast as never] }, 'tokens of')
  await expect(start({ modelFile: `${bundle.modelFile}.absent` })).rejects.toMatchObject({ code: 'load' })
})
