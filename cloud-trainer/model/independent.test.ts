/**
 * The model of drop mode written once more with another library, `@jax-js/jax`, which differentiates it by
 * itself: one observation at a time, its visible tokens only, every row through every layer.
 * (jax-js counts references: `.ref` is for a value that is used again.)
 */
import { defaultDevice, init, lax, nn, numpy as np, valueAndGrad } from '@jax-js/jax'
import { beforeAll, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { relativeDifference } from '#test/support/graph-run.ts'
import { drawBatch, drawWeights, openStepper, smallConfig, smallLayout } from '#test/support/small-model.ts'
import { EPSILON } from '../graph/layers/norm-linear.ts'
import type { ModelConfig } from './config.ts'
import { parameterTable } from './parameters.ts'
import type { TrainingBatch } from './training-batch.ts'

type JaxArray = np.Array
type Weights = Record<string, JaxArray>

beforeAll(async () => {
  await init('wasm')
  defaultDevice('wasm')
})

const matrix = (values: ArrayLike<number>, shape: number[]): JaxArray => np.array(Float32Array.from(values), { shape })

const linear = (x: JaxArray, w: Weights, name: string): JaxArray =>
  np.matmul(x, w[`${name}.weight`]!.ref).add(w[`${name}.bias`]!.ref)

const norm = (x: JaxArray, w: Weights, name: string): JaxArray => {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }))
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true })
  const normalised = centred.div(np.sqrt(variance.add(EPSILON)))
  return normalised.mul(w[`${name}.scale`]!.ref).add(w[`${name}.shift`]!.ref)
}

const gelu = (x: JaxArray): JaxArray => x.ref.mul(0.5).mul(lax.erf(x.div(Math.SQRT2)).add(1))

/** Visible tokens of one observation below its CLS token: [1 + visible, width]. */
const tokensOf = ({ features, hidden }: TokenSet, { slots, blocks }: TokenLayout, w: Weights): JaxArray => {
  const identity = (slot: number): JaxArray => np.expandDims(w.identity!.ref.slice(slot), 0)
  const rows = [identity(slots.length)]
  for (const [s, { block, group, offset }] of slots.entries()) {
    if (hidden[s] === 1) continue
    const { name, encoding, features: size } = blocks[block]!
    const x = matrix(features.subarray(offset, offset + size), [1, size])
    const own = (part: string): JaxArray => w[`embed.${name}.${part}`]!.ref.slice(group)
    const angle = (): JaxArray => x.ref.mul(own('frequencies')).mul(2 * Math.PI)
    const inputs = encoding === 'periodic' ? np.concatenate([np.cos(angle()), np.sin(angle())], 1) : x.ref
    const y = np.matmul(inputs, own('weight')).add(own('bias'))
    rows.push((encoding === 'periodic' ? nn.relu(y) : y).add(identity(s)))
  }
  return np.concatenate(rows, 0)
}

/** [rows, width] → [heads, rows, width/heads]. */
const perHead = (x: JaxArray, heads: number): JaxArray => {
  const [rows, width] = x.shape
  return np.transpose(x.reshape([rows!, heads, width! / heads]), [1, 0, 2])
}

const attend = (x: JaxArray, w: Weights, name: string, { heads, width }: ModelConfig): JaxArray => {
  const rows = x.shape[0]!
  const [q, k, v] = np.split(linear(norm(x, w, `${name}.norm`), w, `${name}.qkv`), 3, 1)
  const scores = np.matmul(perHead(q!, heads), np.transpose(perHead(k!, heads), [0, 2, 1]))
  const p = nn.softmax(scores.div(Math.sqrt(width / heads)), -1)
  const mixed = np.transpose(np.matmul(p, perHead(v!, heads)), [1, 0, 2]).reshape([rows, width])
  return linear(mixed, w, `${name}.out`)
}

const logitsOf = (row: TokenSet, layout: TokenLayout, w: Weights, config: ModelConfig): JaxArray => {
  let x = tokensOf(row, layout, w)
  for (let i = 0; i < config.layers; i++) {
    x = x.ref.add(attend(x, w, `layer.${i}.attention`, config))
    const inner = gelu(linear(norm(x.ref, w, `layer.${i}.feed.norm`), w, `layer.${i}.feed.in`))
    x = x.add(linear(inner, w, `layer.${i}.feed.out`))
  }
  return linear(nn.relu(norm(np.expandDims(x.slice(0), 0), w, 'head.norm')), w, 'head')
}

const lossOf =
  (batch: TrainingBatch, layout: TokenLayout, config: ModelConfig) =>
  (w: Weights): JaxArray => {
    const { labels } = config
    const terms = batch.rows.map((row, b) => {
      const z = logitsOf(row, layout, w, config)
      const y = batch.labels.subarray(b * labels, (b + 1) * labels)
      const share = (value: 0 | 1, weights: Float32Array) =>
        matrix(
          weights.map((a, c) => (y[c] === value ? a : 0)),
          [1, labels],
        )
      const positive = share(1, batch.positiveWeight).mul(nn.softplus(z.ref.neg()))
      return np.sum(positive.add(share(0, batch.negativeWeight).mul(nn.softplus(z))))
    })
    return terms.reduce((sum, term) => sum.add(term)).div(batch.rows.length * labels)
  }

test('loss and gradients are those of an independent implementation', async () => {
  const layout = smallLayout()
  const config = smallConfig({ width: 16, heads: 4, layers: 3, feedForward: 32 })
  const random = randomStream(51, 'independent')
  const weights = drawWeights(random, config, layout)
  const batch = drawBatch(random, layout, config.labels, 6, 0.4)
  await using stepper = await openStepper(config, layout)
  const { loss, gradients } = await stepper.run(weights, batch)
  const { specs } = parameterTable(config, layout)
  const own = Object.fromEntries(
    specs.map(({ name, shape, offset, size }) => [name, matrix(weights.subarray(offset, offset + size), [...shape])]),
  )
  const [value, slopes] = valueAndGrad(lossOf(batch, layout, config))(own)
  expect(Math.abs(loss - (await value.data())[0]!)).toBeLessThan(1e-5)
  for (const { name } of specs) {
    const expected = await (slopes as Weights)[name]!.data()
    expect(relativeDifference(gradients[name]!, expected), name).toBeLessThan(1e-5)
  }
})
