import { describe, expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import {
  centralDifferences,
  differentiate,
  type Operand,
  relativeDifference,
  runOnRuntime,
} from '#test/support/graph-run.ts'
import { type OpCase, opCases } from '#test/support/op-cases.ts'
import { interpret } from '../interpret.ts'
import { GRADIENTS } from './table.ts'

const parameters = (operands: readonly Operand[]): readonly string[] =>
  operands.flatMap(({ parameter }, i) => (parameter ? [`p${i}`] : []))

const hasGradient = ({ operands }: OpCase): boolean => parameters(operands).length > 0

const CASES = opCases().flatMap(({ op, cases }) =>
  typeof GRADIENTS[op] === 'function'
    ? cases.filter(hasGradient).map((entry) => ({ ...entry, name: `${op}: ${entry.name}` }))
    : [],
)

test('every operator with a gradient rule has a case that asks for one', () => {
  const differentiable = opCases().filter(({ op }) => typeof GRADIENTS[op] === 'function')
  expect(differentiable.filter(({ cases }) => !cases.some(hasGradient)).map(({ op }) => op)).toEqual([])
})

describe('each rule agrees with central differences in float64, and with ONNX Runtime', () => {
  test.each(CASES)('$name', async ({ name, operands, make }) => {
    const { program, feeds } = differentiate(operands, (inputs) => make(inputs)[0]!, randomStream(2, name))
    const exact = interpret(program, feeds)
    const computed = await runOnRuntime(program, feeds)
    for (const input of parameters(operands)) {
      const gradient = exact[`d.${input}`]!
      expect(gradient.shape).toEqual(feeds[input]!.shape)
      expect(relativeDifference(gradient.data, centralDifferences(program, feeds, input), 0.1)).toBeLessThan(1e-7)
      expect(relativeDifference(computed[`d.${input}`]!.data, gradient.data, 0.1)).toBeLessThan(3e-6)
    }
  })
})
