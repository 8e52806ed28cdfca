/** Files are read back by another library, `onnx-buf`. */
import { fromBinary } from '@bufbuild/protobuf'
import { AttributeProto_AttributeType, type ModelProto, ModelProtoSchema, type NodeProto } from 'onnx-buf'
import { describe, expect, test } from 'vitest'
import { openSession } from '#shared/platform/ort.ts'
import { feedsOf, programOf } from '#test/support/graph-run.ts'
import { opCases } from '#test/support/op-cases.ts'
import type { Attribute } from './attributes.ts'
import { cast, concat, filled, gather, multiply, reshape, shapeOf, sizes, softmax } from './calls.ts'
import { addConstant, addInput, addOutput, createGraph, GraphError, type Node, type Tensor } from './graph.ts'
import { encodeProgram, IR_VERSION, OPSET } from './onnx-file.ts'
import { OPS } from './ops/table.ts'
import { type Program, toProgram } from './program.ts'

const decode = (program: Program): ModelProto => fromBinary(ModelProtoSchema, encodeProgram(program))

const { FLOAT, INT, STRING, TENSOR, INTS } = AttributeProto_AttributeType
const KINDS = { float: FLOAT, int: INT, string: STRING, tensor: TENSOR, ints: INTS }

/** What is read back for an attribute, in our form. */
const readAttribute = (node: NodeProto, name: string, { kind }: Attribute): unknown => {
  const found = node.attribute.find((attribute) => attribute.name === name)!
  expect(found.type).toBe(KINDS[kind])
  switch (kind) {
    case 'float':
      return found.f
    case 'int':
      return Number(found.i)
    case 'string':
      return Buffer.from(found.s).toString()
    case 'ints':
      return found.ints.map(Number)
    case 'tensor':
      return new Float32Array(found.t!.rawData.slice().buffer)[0]
  }
}

const written = (attribute: Attribute): unknown =>
  attribute.kind === 'float' ? Math.fround(attribute.value) : attribute.value

const checkNode = (node: NodeProto, { op, attributes, inputs, outputs }: Node): void => {
  expect(node.opType).toBe(op)
  expect(node.domain).toBe(OPS[op].domain)
  expect(node.input).toHaveLength(inputs.length)
  expect(node.output).toHaveLength(outputs.length)
  expect(node.attribute.map(({ name }) => name)).toEqual(Object.keys(attributes))
  for (const [name, attribute] of Object.entries(attributes)) {
    expect(readAttribute(node, name, attribute)).toEqual(written(attribute))
  }
}

test('every operator is written with its domain, operands and attributes', () => {
  const seen = new Set<string>()
  for (const { cases } of opCases()) {
    for (const { operands, make } of cases) {
      const program = programOf(operands, make)
      const { graph } = decode(program)
      expect(graph!.input.map(({ name }) => name)).toEqual(Object.keys(feedsOf(operands)))
      for (const [i, node] of program.nodes.entries()) {
        checkNode(graph!.node[i]!, node)
        seen.add(node.op)
      }
    }
  }
  expect([...seen].sort()).toEqual(Object.keys(OPS).sort())
})

test('no file can hold ScatterND, Dropout or a random operator', () => {
  for (const op of ['ScatterND', 'ScatterElements', 'Dropout', 'RandomUniform', 'RandomNormalLike']) {
    expect(Object.keys(OPS)).not.toContain(op)
  }
})

describe('a file', () => {
  const graph = createGraph()
  const x = addInput(graph, 'x', 'float32', ['B', 2, 'K'])
  const index = addInput(graph, 'index', 'int32', ['K'])
  const table = addConstant(graph, 'float32', [3, 2], [0.1, -0.2, 0.3, 0.4, 1e30, -0])
  const y = softmax(reshape(x, ['B', '2*K']))
  addOutput(graph, 'y', y)
  addOutput(graph, 'rows', gather(table, index))
  addOutput(graph, 'ones', filled(concat([sizes(graph, [-1 + 3]), shapeOf(x, 0, 1)], 0), 0.25))
  const program = toProgram(graph)
  const model = decode(program)

  test('declares its versions', () => {
    expect(Number(model.irVersion)).toBe(IR_VERSION)
    expect(model.opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([
      ['', OPSET],
      ['com.microsoft', 1],
    ])
  })

  test('names inputs and outputs with types, numbers and symbols', () => {
    const described = [...model.graph!.input, ...model.graph!.output].map(({ name, type }) => {
      const tensor = type!.value.case === 'tensorType' ? type!.value.value : undefined
      return [
        name,
        tensor!.elemType,
        tensor!.shape!.dim.map(({ value }) => (value.case === 'dimValue' ? Number(value.value) : value.value)),
      ]
    })
    expect(described).toEqual([
      ['x', 1, ['B', 2, 'K']],
      ['index', 6, ['K']],
      ['y', 1, ['B', '2*K']],
      ['rows', 1, ['K', 2]],
      ['ones', 1, [2, 'B']],
    ])
  })

  test('holds the numbers of constants bit by bit', () => {
    const initializers = model.graph!.initializer
    const stored = initializers.find(({ dims }) => dims.length === 2)!
    expect(new Float32Array(stored.rawData.slice().buffer)).toEqual(Float32Array.of(0.1, -0.2, 0.3, 0.4, 1e30, -0))
    const integers = initializers.filter(({ dataType }) => dataType === 7)
    expect(integers.map(({ rawData }) => [...new BigInt64Array(rawData.slice().buffer)])).toContainEqual([0n, -1n])
  })

  test('is what ONNX Runtime loads and names', async () => {
    const session = await openSession(encodeProgram(program))
    expect(session.inputNames).toEqual(['x', 'index'])
    expect(session.outputNames).toEqual(['y', 'rows', 'ones'])
    const { rows } = await session.run(
      { x: { data: new Float32Array(4), shape: [1, 2, 2] }, index: { data: Int32Array.of(2, 0), shape: [2] } },
      ['rows'],
    )
    expect(rows!.data).toEqual(Float32Array.of(1e30, -0, 0.1, -0.2))
    await session.close()
  })
})

test('every element type is written with its own bytes', () => {
  const graph = createGraph()
  const types = ['float32', 'int32', 'int64', 'bool'] as const
  for (const type of types) addOutput(graph, type, cast(addConstant(graph, type, [2], [0, 1]), 'float32'))
  const { initializer } = decode(toProgram(graph)).graph!
  expect(initializer.map(({ dataType, rawData }) => [dataType, rawData.length])).toEqual([
    [1, 8],
    [6, 8],
    [7, 16],
    [9, 2],
  ])
})

test('one tensor cannot have two names, nor an input be an output', () => {
  const graph = createGraph()
  const x: Tensor = addInput(graph, 'x', 'float32', [2])
  const y = multiply(x, 2)
  addOutput(graph, 'a', y)
  addOutput(graph, 'b', y)
  expect(() => encodeProgram(toProgram(graph))).toThrow(GraphError)
})
