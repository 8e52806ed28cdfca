import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { floats, relativeDifference } from '#test/support/graph-run.ts'
import { add } from './calls.ts'
import { foldConstants } from './fold.ts'
import { addConstant, addInput, addOutput, createGraph } from './graph.ts'
import { interpret } from './interpret.ts'
import { normLinear } from './layers/norm-linear.ts'
import { constantsOf, toProgram } from './program.ts'

test('norms of constant weights fold into one product, with equal results', () => {
  const random = randomStream(7, 'fold')
  const graph = createGraph()
  const constant = (...shape: number[]) => addConstant(graph, 'float32', shape, floats(random, shape).value.data)
  const x = addInput(graph, 'x', 'float32', ['N', 6])
  const bias = constant(4)
  addOutput(graph, 'y', normLinear(x, { scale: constant(6), shift: constant(6) }, constant(6, 4), add(bias, bias)))
  const program = toProgram(graph)
  const folded = foldConstants(program)
  expect(folded.nodes.map(({ op }) => op)).toEqual(['LayerNormalization', 'Gemm'])
  expect(constantsOf(folded)).toHaveLength(3)
  const feeds = { x: floats(random, [5, 6]).value }
  expect(relativeDifference(interpret(folded, feeds).y!.data, interpret(program, feeds).y!.data)).toBeLessThan(1e-14)
})
