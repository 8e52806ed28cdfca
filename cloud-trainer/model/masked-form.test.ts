/**
 * Leaving hidden tokens out is the same function as keeping them in place and hiding them from attention.
 * The masked form is built here, of the same layers: all slots of all observations, a key bias, CLS read.
 */
import { describe, expect, test } from 'vitest'
import { openSession } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import { packTokens } from '#shared/tokens/batch.ts'
import type { TokenLayout } from '#shared/tokens/layout.ts'
import { relativeDifference } from '#test/support/graph-run.ts'
import {
  drawBatch,
  drawWeights,
  openStepper,
  smallConfig,
  smallLayout,
  withHiddenFeatures,
} from '#test/support/small-model.ts'
import { backward } from '../graph/backward.ts'
import { addInput, addOutput, createGraph } from '../graph/graph.ts'
import { binaryCrossEntropy } from '../graph/layers/binary-cross-entropy.ts'
import { pickRows } from '../graph/layers/rows.ts'
import { encodeProgram } from '../graph/onnx-file.ts'
import { toProgram } from '../graph/program.ts'
import { assembleTokens, blockRows } from './assembly.ts'
import type { ModelConfig } from './config.ts'
import { encode, head } from './encoder.ts'
import { parameterTable, weightFeeds } from './parameters.ts'
import { fullView } from './token-view.ts'
import { packTrainingBatch, type TrainingBatch } from './training-graph.ts'
import { parameterWeights } from './weights.ts'

const maskedProgram = (config: ModelConfig, layout: TokenLayout) => {
  const graph = createGraph()
  const places = layout.slots.length + 1
  const table = parameterTable(config, layout)
  const weights = parameterWeights(graph, table)
  const index = (name: string, ...shape: (string | number)[]) => addInput(graph, name, 'int32', shape)
  const inverse = layout.blocks.map(({ name, groups }, i) => index(`inverse.${name}`, groups, blockRows(i)))
  const tokens = assembleTokens(graph, config, layout, weights, {
    assemble: index('assemble', 'B', places),
    slot: index('slot', 'B', places),
    backward: { inverse, hidden: null },
  })
  const [read, readInverse] = [index('read', 'B'), index('readInverse', `${places}*B`)]
  const view = {
    ...fullView('B', places, addInput(graph, 'hidden', 'float32', ['B', places])),
    read: (x: typeof tokens) => pickRows(x, read, readInverse),
  }
  const logits = head(encode(tokens, view, weights, config), weights)
  const [positive, negative] = ['positive', 'negative'].map((name) =>
    addInput(graph, name, 'float32', ['B', config.labels]),
  )
  const loss = binaryCrossEntropy(logits, positive!, negative!)
  addOutput(graph, 'loss', loss)
  addOutput(graph, 'logits', logits)
  const names = table.specs.map(({ name }) => name)
  for (const [i, gradient] of backward(loss, names.map(weights)).entries()) addOutput(graph, `d.${names[i]}`, gradient)
  return toProgram(graph)
}

/** Every token is embedded, hidden or not; `hidden` alone tells them apart. */
const maskedFeeds = (config: ModelConfig, layout: TokenLayout, batch: TrainingBatch) => {
  const slots = layout.slots.length
  const [count, places] = [batch.rows.length, slots + 1]
  const all = batch.rows.map(({ features }) => ({ features, hidden: new Uint8Array(slots) }))
  const { feeds, tableRow, tableRows, blockStart, groupRows } = packTokens(layout, all)
  const assemble = new Int32Array(count * places)
  const slot = new Int32Array(count * places).fill(slots)
  const inverse = new Int32Array(tableRows).fill(count * places)
  const hidden = new Float32Array(count * places)
  const readInverse = new Int32Array(count * places).fill(count)
  for (let b = 0; b < count; b++) {
    readInverse[b * places] = b
    for (let s = 0; s < slots; s++) {
      const place = b * places + 1 + s
      assemble[place] = tableRow[b * slots + s]!
      inverse[assemble[place]!] = place
      slot[place] = s
      hidden[place] = batch.rows[b]!.hidden[s]!
    }
  }
  const { positive, negative } = packTrainingBatch(config, layout, batch)
  const inverses = layout.blocks.map(({ name, groups }, i) => {
    const [start, rows] = [blockStart[i]!, groupRows[i]!]
    return [`inverse.${name}`, { data: inverse.subarray(start, start + groups * rows), shape: [groups, rows] }] as const
  })
  return {
    ...feeds,
    ...Object.fromEntries(inverses),
    assemble: { data: assemble, shape: [count, places] },
    slot: { data: slot, shape: [count, places] },
    hidden: { data: hidden, shape: [count, places] },
    read: { data: Int32Array.from({ length: count }, (_, b) => b * places), shape: [count] },
    readInverse: { data: readInverse, shape: [count * places] },
    positive: positive!,
    negative: negative!,
  }
}

describe('dropping hidden tokens is masked attention', () => {
  test.each([0, 0.3, 0.6, 0.9])('with %d of them hidden', async (hiddenShare) => {
    const layout = smallLayout(20)
    const config = smallConfig({ width: 32, heads: 4, layers: 3, feedForward: 64 })
    const random = randomStream(21, `masked ${hiddenShare}`)
    const weights = drawWeights(random, config, layout)
    const batch = drawBatch(random, layout, config.labels, 24, hiddenShare)
    const rows = batch.rows.map((row) => withHiddenFeatures(row, layout, 0.7))
    const table = parameterTable(config, layout)
    await using stepper = await openStepper(config, layout, 2)
    const dropped = await stepper.run(weights, batch)
    const session = await openSession(encodeProgram(maskedProgram(config, layout)), { threads: 2 })
    const masked = await session.run({
      ...weightFeeds(table, weights),
      ...maskedFeeds(config, layout, { ...batch, rows }),
    })
    await session.close()
    expect(relativeDifference(dropped.logits, masked.logits!.data, 1)).toBeLessThan(1e-5)
    expect(Math.abs(dropped.loss - masked.loss!.data[0]!)).toBeLessThan(2e-6)
    for (const { name } of table.specs) {
      expect(relativeDifference(dropped.gradients[name]!, masked[`d.${name}`]!.data), name).toBeLessThan(5e-6)
    }
  })
})
