import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { EXAMPLE_SPECS, randomTokens } from '#test/support/model-bundle.ts'
import { encodeProgram } from '../graph/onnx-file.ts'
import { defaultModelConfig } from '../model/config.ts'
import { inferenceProgram } from '../model/inference-graph.ts'
import { initialWeights, parameterTable } from '../model/parameters.ts'
import { verifyExport } from './verify.ts'

const layout = layoutOf(EXAMPLE_SPECS)
const config = { ...defaultModelConfig(3), width: 16, layers: 1, heads: 2, feedForward: 32, frequencies: 4 }

/** Frequencies of its numbers' encoding are `factor` times as high. */
const taskWith = (factor: number) => {
  const table = parameterTable(config, layout)
  const random = randomStream(1, 'verify')
  const weights = initialWeights(table, config, layout, random)
  for (const { name, offset, size } of table.specs) {
    if (!name.endsWith('frequencies')) continue
    for (let i = 0; i < size; i++) weights[offset + i]! *= factor
  }
  const rows = Array.from({ length: 40 }, () => randomTokens(layout, random))
  return { model: encodeProgram(inferenceProgram(config, layout, weights)), config, layout, weights, rows }
}

test('a model that answers by the last bits of its inputs is none for eight bits', async () => {
  const calm = await verifyExport(taskWith(1), 'int8')
  expect(calm.verification.movedByRounding).toBeLessThan(1e-4)
  const wild = taskWith(1e6)
  const { verification } = await verifyExport(wild)
  expect(verification.movedByRounding).toBeGreaterThan(0.04)
  await expect(verifyExport(wild, 'int8')).rejects.toMatchObject({
    code: 'verification',
    message: expect.stringMatching(/; rounding moves them by up to 0\.\d+ \(limit 0\.03\d+\)$/),
  })
})
