/** Candidates of every kind, honest and hostile, before the trial; the process that asks stays awake. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { ModelProtoSchema, type TensorProto } from 'onnx-buf'
import { expect, test } from 'vitest'
import type { Message } from '#cloud/graph/protobuf.ts'
import { createTrial, type TrialOptions, type TrialVerdict } from '#edge/inference/trial.ts'
import type { Trial } from '#edge/update/run-step.ts'
import type { Manifest } from '#shared/bundle/manifest.ts'
import type { SelfTestCase } from '#shared/bundle/vectors.ts'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { silentLog } from '#shared/platform/log.ts'
import { childEnvironment } from '#shared/platform/preflight.ts'
import { attribute, externalData, floats, input, int64s, model, node, output } from '../support/hand-made-onnx.ts'
import { createModelBundle, type ModelBundle, type ModelBundleOptions } from '../support/model-bundle.ts'

const log = silentLog()
const INT32 = 6

const tryOut = async (
  bundle: ModelBundle,
  options: Partial<TrialOptions> = {},
  signal = new AbortController().signal,
): Promise<TrialVerdict> => {
  const trial: Trial = createTrial({ log, ...options })
  return trial(bundle, signal)
}

const childrenOf = (pid: number): string => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()

/** Runs the trial of a bundle made by `options`; the reason for which it is refused, or "ok". */
const verdictOn = async (options: ModelBundleOptions, limits: Partial<TrialOptions> = {}): Promise<string> => {
  await using bundle = await createModelBundle(options)
  let ticks = 0
  const ticking = setInterval(() => ticks++, 10)
  const verdict = await tryOut(bundle, limits)
  clearInterval(ticking)
  // A trial takes a tenth of a second at least; a caller that was blocked would have seen no tick.
  expect(ticks).toBeGreaterThan(2)
  if (process.platform === 'linux') expect(childrenOf(process.pid)).toBe('')
  return verdict.ok ? 'ok' : verdict.reason
}

test('an honest candidate passes, in either mode, and with more cases than a batch', async () => {
  expect(await verdictOn({})).toBe('ok')
  expect(await verdictOn({ config: { mode: 'replace', activation: 'relu' }, cases: 40 })).toBe('ok')
  for (const precision of ['int8', 'fp16'] as const) {
    expect(await verdictOn({ config: { width: 32 }, precision, cases: 40 })).toBe('ok')
  }
})

test('eight bits that hide what they are show it: their answers depend on those beside them', async () => {
  const silent = ({ precision: _, ...manifest }: Manifest): Manifest => manifest
  expect(await verdictOn({ precision: 'int8', changeManifest: silent })).toMatch(
    / alone, not in a batch, a difference of /,
  )
})

/** An honest model but for one input of its first eight-bit product: 1: weights, 2: scales, 4: bias. */
const withInput =
  (at: number, change: (tensor: TensorProto) => void) =>
  (bytes: Uint8Array): Uint8Array => {
    const honest = fromBinary(ModelProtoSchema, bytes)
    const { node: nodes, initializer } = honest.graph!
    const name = nodes.find(({ opType }) => opType === 'DynamicQuantizeMatMul')!.input[at]!
    change(initializer.find((tensor) => tensor.name === name)!)
    return toBinary(ModelProtoSchema, honest)
  }

test('eight-bit products of tensors that do not fit are refused by the runtime, which reads nothing beside them', async () => {
  const verdictWith = (...change: Parameters<typeof withInput>) =>
    verdictOn({ precision: 'int8', changeModel: withInput(...change) })
  /** The first `count` elements of one dimension. */
  const cut =
    (count: number, elementBytes: number) =>
    (tensor: TensorProto): void => {
      tensor.dims = [BigInt(count)]
      tensor.rawData = tensor.rawData.subarray(0, count * elementBytes)
    }
  expect(await verdictWith(4, () => {})).toBe('ok')
  expect(await verdictWith(4, cut(3, 4))).toMatch(/^\w+: .*bias/s)
  expect(await verdictWith(2, cut(3, 4))).toMatch(/^\w+: .*broadcast/s)
  expect(await verdictWith(1, cut(7, 1))).toMatch(/^load: .*Incompatible dimensions/s)
})

const changeFirst =
  (change: (first: SelfTestCase) => Partial<SelfTestCase>) =>
  ([first, ...others]: readonly SelfTestCase[]): readonly SelfTestCase[] => [
    { ...first!, ...change(first!) },
    ...others,
  ]

test('a candidate that computes something else is refused, with case, label and difference', async () => {
  const wrong = changeFirst(({ logits: [a, b, c] }) => ({ logits: [a!, b! + 0.01, c!] }))
  expect(await verdictOn({ changeCases: wrong })).toMatch(
    /^vectors: case "case 0", label "label 1": -?\d\.\d+ here, -?\d\.\d+ by the trainer, a difference of 0\.01\d* where 0\.0001\d* is allowed$/,
  )
  const loose = (manifest: ModelBundle['manifest']) => ({ ...manifest, tolerance: { absolute: 0.02, relative: 0 } })
  expect(await verdictOn({ changeCases: wrong, changeManifest: loose })).toBe('ok')
  const flipped = (bytes: Uint8Array): Uint8Array => {
    // Some weight in the middle of the file gets another exponent.
    const changed = Uint8Array.from(bytes)
    for (let i = 0; i < 400; i++) changed[(bytes.length >> 1) + i]! ^= i % 4 === 2 ? 0x80 : 0
    return changed
  }
  expect(await verdictOn({ changeModel: flipped })).toMatch(/^(vectors: case "case 0"|load: )/)
})

test('vectors that do not fit the model are refused before it is loaded', async () => {
  const check = async (change: (first: SelfTestCase) => Partial<SelfTestCase>, reason: string) => {
    await using bundle = await createModelBundle({ changeCases: changeFirst(change) })
    expect(await tryOut(bundle)).toEqual({ ok: false, reason: `load: vectors: case "case 0" ${reason}` })
  }
  await check(({ features }) => ({ features: features.slice(1) }), 'has 18 features, the model 19')
  await check(({ hidden }) => ({ hidden: hidden.slice(1) }), 'has no mask of 6 tokens')
  await check(({ hidden }) => ({ hidden: hidden.map(() => 2) }), 'has no mask of 6 tokens')
  await check(({ logits }) => ({ logits: logits.slice(1) }), 'has 2 logits for 3 labels')
  await check(
    ({ features, hidden }) => ({ features: features.map(() => Number.NaN), hidden: hidden.fill(0) }),
    'has a visible token that is not finite',
  )
})

/** What a model of two numbers and one label takes and gives; `nodes` make "logits" [B, 1] of it. */
const handMade = (...nodes: readonly Message[]): ModelBundleOptions => {
  const specs: ModalitySpec[] = [
    {
      kind: 'tabular',
      name: 'weather',
      variables: ['a', 'b'].map((name) => ({ type: 'number', name, mean: 0, deviation: 1 })),
    },
  ]
  return {
    specs,
    config: { labels: 1 },
    changeCases: (cases) => cases.map((one) => ({ ...one, logits: [0] })),
    changeModel: () =>
      model([
        input('x.weather.number', [2, 'R', 1]),
        input('assemble', ['B', 'K'], INT32),
        input('slot', ['B', 'K'], INT32),
        input('hidden', ['B', 'K']),
        int64s('axes', [1]),
        ...nodes,
        output('logits', ['B', 1]),
      ]),
  }
}

/** [B, 1]: zero for an observation alone, the number of its padding places in a batch. */
const padding = node('ReduceSum', ['hidden', 'axes'], ['padding'])
const keep = { attributes: [attribute.int('keepdims', 0)] }
/** One number that is known at run time only: nothing that follows can be computed in advance. */
const scalar = node('ReduceSum', ['hidden'], ['scalar'], keep)

test('the hand-made model is refused only for what it does', async () => {
  const zero = [padding, floats('none', [1], [0]), node('Mul', ['padding', 'none'], ['logits'])]
  expect(await verdictOn(handMade(...zero))).toBe('ok')
})

test('an answer that depends on its neighbours in a batch is refused', async () => {
  const leaky = node('ReduceSum', ['hidden', 'axes'], ['logits'])
  expect(await verdictOn(handMade(leaky))).toMatch(/^vectors: case .* alone, not in a batch, a difference of/)
})

test('logits that are not finite are refused', async () => {
  const divided = [padding, node('Div', ['padding', 'padding'], ['logits'])]
  expect(await verdictOn(handMade(...divided))).toBe('output: logits that are not finite')
})

test('files that our exporter could not have written are never loaded', async () => {
  const outside = floats('none', [1], [0], externalData('/etc/passwd'))
  expect(await verdictOn(handMade(outside, node('Mul', ['padding', 'none'], ['logits'])))).toBe('load: external data')
  const body = [...node('Relu', ['a'], ['b']), ...output('b', [1])]
  const looping = node('Loop', ['n', '', 'padding'], ['logits'], { attributes: [attribute.graph('body', body)] })
  expect(await verdictOn(handMade(padding, looping))).toBe('load: operator Loop')
  const foreign = node('Relu', ['padding'], ['logits'], { domain: 'com.evil' })
  expect(await verdictOn(handMade(padding, foreign))).toBe('load: operator com.evil.Relu')
  expect(await verdictOn(handMade(floats('w', [1 << 20, 1 << 10], [1])))).toMatch(/^load: tensor w .* has 4 bytes$/)
  const cut = (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 100)
  expect(await verdictOn({ changeModel: cut })).toMatch(/^load: .* ends early$/)
  expect(await verdictOn({ changeModel: (bytes) => bytes.subarray(0, 0) })).toBe('load: IR version 0')
})

test('a model that ONNX Runtime refuses is refused with its reason', async () => {
  expect(await verdictOn(handMade(node('Relu', ['nowhere'], ['logits'])))).toMatch(/^load: .*nowhere/)
})

test('a model that takes more memory than allowed is stopped', async () => {
  // 64 MB at first, then four times eight of the latest: 256 GB.
  const growing = [scalar, int64s('size', [1, 1 << 24]), node('Expand', ['scalar', 'size'], ['g0'])]
  for (let i = 0; i < 4; i++) {
    const axis = { attributes: [attribute.int('axis', 0)] }
    growing.push(node('Concat', Array(8).fill(`g${i}`), [`g${i + 1}`], axis))
  }
  const bundle = handMade(...growing, int64s('both', [0, 1]), node('ReduceSum', ['g4', 'both'], ['logits']))
  const reason = await verdictOn(bundle, { memoryBytes: 256 << 20 })
  expect(reason).toMatch(/allocat|bytes of memory|bad_alloc/i)
})

const chain = (first: string, length: number): Message[] =>
  Array.from({ length }, (_, i) => node('MatMul', [i === 0 ? first : `m${i}`, first], [`m${i + 1}`]))
const last = (length: number): Message[] => [
  int64s('both', [0, 1]),
  node('ReduceSum', [`m${length}`, 'both'], ['logits']),
]
/** Minutes of matrix products: at every answer, or already while the file is loaded. */
const HANGING = handMade(
  scalar,
  int64s('size', [2048, 2048]),
  node('Expand', ['scalar', 'size'], ['m0']),
  ...chain('m0', 2000),
  ...last(2000),
)
const HANGING_AT_LOAD = handMade(
  int64s('size', [2048, 2048]),
  node('ConstantOfShape', ['size'], ['m0']),
  ...chain('m0', 2000),
  ...last(2000),
)

test('a model that does not answer in time is stopped', async () => {
  expect(await verdictOn(HANGING, { answerLimitMs: 500 })).toBe('timeout: no answer within 500 ms')
  expect(await verdictOn(HANGING, { limitMs: 1000 })).toBe('timeout: the trial took longer than 1000 ms')
  expect(await verdictOn(HANGING_AT_LOAD, { loadLimitMs: 1000 })).toMatch(/^load: no answer within \d+ ms$/)
})

test('a trial that is no longer wanted ends at once', async () => {
  await using bundle = await createModelBundle(HANGING)
  const abort = new AbortController()
  const verdict = tryOut(bundle, {}, abort.signal)
  await sleep(300)
  abort.abort()
  expect(await verdict).toEqual({ ok: false, reason: 'aborted' })
  expect(await tryOut(bundle, {}, AbortSignal.abort())).toEqual({ ok: false, reason: 'aborted' })
  if (process.platform === 'linux') expect(childrenOf(process.pid)).toBe('')
})

const isAlive = (pid: number): boolean => {
  try {
    // A zombie that nobody has reaped yet is dead, too.
    return process.kill(pid, 0) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test.runIf(process.platform === 'linux')('an inference process does not outlive its station', async () => {
  await using bundle = await createModelBundle()
  const owner: ChildProcess = fork(
    new URL('../support/inference-owner-child.ts', import.meta.url),
    [bundle.modelFile, JSON.stringify(bundle.manifest)],
    { execArgv: [], env: childEnvironment() },
  )
  await once(owner, 'message')
  const children = childrenOf(owner.pid!).split(' ').map(Number)
  expect(children).toHaveLength(1)
  owner.kill('SIGKILL')
  while (isAlive(children[0]!)) await sleep(10)
})
