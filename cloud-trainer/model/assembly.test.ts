import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { type Arrays, relativeDifference } from '#test/support/graph-run.ts'
import { drawBatch, drawWeights, exactly, smallConfig, smallLayout } from '#test/support/small-model.ts'
import { backward } from '../graph/backward.ts'
import { add, concat, cosine, gather, matMul, multiply, relu, reshape, sine, sum } from '../graph/calls.ts'
import { addConstant, addInput, addOutput, createGraph, type Graph, type Tensor } from '../graph/graph.ts'
import { interpret } from '../graph/interpret.ts'
import { toProgram } from '../graph/program.ts'
import { assembleTokens } from './assembly.ts'
import type { ModelConfig } from './config.ts'
import { parameterTable, weightFeeds } from './parameters.ts'
import { packTrainingBatch } from './training-batch.ts'
import { parameterWeights, type Weights } from './weights.ts'

const layout = smallLayout()

/** The same rows of single operators: gathers whose gradients are products with one-hot rows. */
const plainTokens = (
  graph: Graph,
  config: ModelConfig,
  weights: Weights,
  inputs: Arrays,
  assemble: Tensor,
  slot: Tensor | null,
): Tensor => {
  const blocks = layout.blocks.map(({ name, encoding }) => {
    const x = addInput(graph, `x.${name}`, 'float32', inputs[`x.${name}`]!.shape)
    const of = (part: string): Tensor => weights(`embed.${name}.${part}`)
    const angle = (): Tensor => multiply(multiply(x, of('frequencies')), 2 * Math.PI)
    const expanded = encoding === 'periodic' ? concat([cosine(angle()), sine(angle())], 2) : x
    const y = add(matMul(expanded, of('weight')), of('bias'))
    const rows = y.shape.slice(0, -1).reduce<number>((n, size) => n * Number(size), 1)
    return reshape(encoding === 'periodic' ? relu(y) : y, [rows, config.width])
  })
  const special =
    config.mode === 'replace'
      ? weights('mask')
      : addConstant(graph, 'float32', [1, config.width], new Float64Array(config.width))
  const content = gather(concat([special, ...blocks], 0), assemble)
  const x = add(content, slot ? gather(weights('identity'), slot) : weights('identity'))
  const rows = x.shape.slice(0, -1).reduce<number>((n, size) => n * Number(size), 1)
  return reshape(x, [rows, config.width])
}

/** Gradients of the sum of all rows' elements times random weights. */
const gradientsOf = (config: ModelConfig, feeds: Arrays, isPlain: boolean): Arrays => {
  const graph = createGraph()
  const table = parameterTable(config, layout)
  const weights = parameterWeights(graph, table)
  const index = (name: string): Tensor => addInput(graph, name, 'int32', feeds[name]!.shape)
  const assemble = index('assemble')
  const slot = config.mode === 'drop' ? index('slot') : null
  const backwardInputs = () => ({
    inverse: layout.blocks.map(({ name, groups }, i) => addInput(graph, `inverse.${name}`, 'int32', [groups, `R${i}`])),
    hidden: slot ? null : addInput(graph, 'hidden', 'float32', feeds.hidden!.shape),
  })
  const x = isPlain
    ? plainTokens(graph, config, weights, feeds, assemble, slot)
    : assembleTokens(graph, config, layout, weights, { assemble, slot, backward: backwardInputs() })
  const random = randomStream(41, 'weights')
  const [rows, width] = x.shape
  const shares = Float64Array.from({ length: Number(rows) * Number(width) }, random.normal)
  const loss = reshape(
    sum(multiply(x, addConstant(graph, 'float32', [Number(rows), Number(width)], shares)), [0, 1]),
    [],
  )
  addOutput(graph, 'loss', loss)
  const names = table.specs.map(({ name }) => name).filter((name) => /^(embed|identity|mask)/.test(name))
  for (const [i, gradient] of backward(loss, names.map(weights)).entries()) addOutput(graph, names[i]!, gradient)
  return interpret(toProgram(graph), feeds)
}

test.each(['drop', 'replace'] as const)('%s: rows and gradients are those of single operators', (mode) => {
  const config = smallConfig({ mode })
  const random = randomStream(42, mode)
  const weights = drawWeights(random, config, layout)
  const batch = drawBatch(random, layout, config.labels, 5, 0.4)
  const table = parameterTable(config, layout)
  const feeds = exactly({ ...weightFeeds(table, weights), ...packTrainingBatch(config, layout, batch) })
  const [made, plain] = [gradientsOf(config, feeds, false), gradientsOf(config, feeds, true)]
  expect(Object.keys(made)).toEqual(Object.keys(plain))
  for (const [name, { data }] of Object.entries(plain)) {
    expect(relativeDifference(made[name]!.data, data), name).toBeLessThan(1e-12)
  }
})
