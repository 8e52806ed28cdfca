/** The station's list of operators against the exporter's: two sides that don't import one another. */
import { expect, test } from 'vitest'
import { inPrecision } from '#cloud/export/smaller.ts'
import { OPS } from '#cloud/graph/ops/table.ts'
import type { OpName } from '#cloud/graph/types.ts'
import { defaultModelConfig, type ModelConfig } from '#cloud/model/config.ts'
import { inferenceProgram } from '#cloud/model/inference-graph.ts'
import { parameterTable } from '#cloud/model/parameters.ts'
import { OPERATORS } from '#edge/inference/operators.ts'
import { PRECISIONS } from '#shared/bundle/precision.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { EXAMPLE_SPECS } from '../support/model-bundle.ts'

const allowed = [...OPERATORS].flatMap(([domain, names]) => [...names].map((name) => ({ domain, name })))

const emitted = (changes: Partial<ModelConfig>): readonly OpName[] => {
  const layout = layoutOf(EXAMPLE_SPECS)
  const config = { ...defaultModelConfig(2), width: 8, layers: 1, heads: 2, feedForward: 8, frequencies: 2, ...changes }
  const program = inferenceProgram(config, layout, new Float32Array(parameterTable(config, layout).total))
  return PRECISIONS.flatMap((precision) => inPrecision(program, precision).nodes.map(({ op }) => op))
}

test('the station lists only operators of our exporter, in their domains', () => {
  const foreign = allowed.filter(({ domain, name }) => OPS[name as OpName]?.domain !== domain)
  expect(foreign).toEqual([])
})

test('the station lists every operator that a model of any configuration and precision uses', () => {
  const used = new Set<OpName>()
  for (const mode of ['drop', 'replace'] as const) {
    for (const activation of ['gelu', 'relu'] as const) {
      for (const op of emitted({ mode, activation })) used.add(op)
    }
  }
  expect(used.size).toBeGreaterThan(15)
  expect(used).toContain('DynamicQuantizeMatMul')
  expect([...used].filter((op) => !OPERATORS.get(OPS[op].domain)?.has(op))).toEqual([])
})
