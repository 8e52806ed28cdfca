import { describe, expect, test } from 'vitest'
import { feedsOf, programOf, relativeDifference, runOnRuntime } from '#test/support/graph-run.ts'
import { opCases } from '#test/support/op-cases.ts'
import { interpret } from '../interpret.ts'
import { OPS } from './table.ts'

test('the cases are for the operators of the table, all of them', () => {
  expect(
    opCases()
      .map(({ op }) => op)
      .sort(),
  ).toEqual(Object.keys(OPS).sort())
})

describe('ONNX Runtime and the float64 evaluation agree', () => {
  const cases = opCases().flatMap(({ op, cases }) =>
    cases.map((entry) => ({ ...entry, op, title: `${op}: ${entry.name}` })),
  )
  test.each(cases)('$title', async ({ op, operands, make }) => {
    const program = programOf(operands, make)
    expect(program.nodes.map((node) => node.op)).toContain(op)
    const feeds = feedsOf(operands)
    const exact = interpret(program, feeds)
    const computed = await runOnRuntime(program, feeds)
    expect(Object.keys(computed)).toEqual(Object.keys(exact))
    for (const [name, { shape, data }] of Object.entries(exact)) {
      expect(computed[name]!.shape).toEqual(shape)
      expect(relativeDifference(computed[name]!.data, data, 1e-3)).toBeLessThan(1e-6)
    }
  })
})
