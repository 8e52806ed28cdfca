import { fromBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { type ModelProto, ModelProtoSchema } from 'onnx-buf'
import { expect, test } from 'vitest'
import { inPrecision } from '#cloud/export/smaller.ts'
import { encodeProgram } from '#cloud/graph/onnx-file.ts'
import { bytesField, intField, type Message, messageField, textField } from '#cloud/graph/protobuf.ts'
import { defaultModelConfig, type ModelConfig } from '#cloud/model/config.ts'
import { inferenceProgram } from '#cloud/model/inference-graph.ts'
import { initialWeights, parameterTable } from '#cloud/model/parameters.ts'
import { PRECISIONS, type Precision } from '#shared/bundle/precision.ts'
import { openSession } from '#shared/platform/ort.ts'
import { randomStream } from '#shared/std/random.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import {
  attribute,
  externalData,
  floats,
  input,
  int64s,
  model,
  node,
  opset,
  output,
} from '#test/support/hand-made-onnx.ts'
import { EXAMPLE_SPECS } from '#test/support/model-bundle.ts'
import { checkOnnx, MAX_MODEL_BYTES } from './onnx-check.ts'
import { OPERATORS } from './operators.ts'

const exported = (changes: Partial<ModelConfig> = {}, precision: Precision = 'float32'): Uint8Array => {
  const layout = layoutOf(EXAMPLE_SPECS)
  const config = { ...defaultModelConfig(3), width: 8, layers: 1, heads: 2, feedForward: 8, frequencies: 2, ...changes }
  const weights = initialWeights(parameterTable(config, layout), config, layout, randomStream(1, 'onnx-check'))
  return encodeProgram(inPrecision(inferenceProgram(config, layout, weights), precision))
}

const relu = [input('x', ['N', 2]), node('Relu', ['x'], ['y']), output('y', ['N', 2])]

/** `reason` is part of the refusal; null when the file is accepted. */
const check = (bytes: Uint8Array, reason: string | null): void => {
  const result = checkOnnx(bytes)
  if (reason === null) expect(result).toMatchObject({ ok: true })
  else expect(result.ok ? 'accepted' : result.error).toContain(reason)
}

test('what our exporter writes is accepted and described', () => {
  for (const mode of ['drop', 'replace'] as const) {
    for (const activation of ['gelu', 'relu'] as const) check(exported({ mode, activation }), null)
  }
  // Wide enough for weights in half precision.
  for (const precision of PRECISIONS) check(exported({ width: 32 }, precision), null)
  expect(new Set(PRECISIONS.map((precision) => exported({ width: 32 }, precision).length)).size).toBe(3)
  expect(checkOnnx(exported({}, 'int8'))).toEqual(checkOnnx(exported()))
  expect(checkOnnx(exported())).toEqual({
    ok: true,
    value: {
      opset: 21,
      irVersion: 10,
      inputs: expect.arrayContaining([
        { name: 'assemble', type: 'int32', shape: ['B', 'K'] },
        { name: 'hidden', type: 'float32', shape: ['B', 'K'] },
        { name: 'x.soil.period', type: 'float32', shape: [1, expect.stringMatching(/^R/), 4] },
      ]),
      outputs: [{ name: 'logits', type: 'float32', shape: ['B', 3] }],
    },
  })
})

test('the hand-made files are ones that ONNX Runtime takes', async () => {
  const session = await openSession(model(relu))
  const { y } = await session.run({ x: { data: Float32Array.of(-1, 2), shape: [1, 2] } })
  expect(y!.data).toEqual(Float32Array.of(0, 2))
  check(model(relu), null)
})

test('external data are refused wherever they stand', () => {
  const outside = externalData('../../etc/passwd')
  check(model([...relu, floats('w', [1], [1], outside)]), 'external data')
  const inAttribute = messageField(
    5,
    textField(1, 'value'),
    messageField(5, intField(1, 1), intField(2, 1), outside),
    intField(20, 4),
  )
  check(model([node('ConstantOfShape', ['s'], ['y'], { attributes: [inAttribute] })]), 'external data')
  check(model([messageField(15, messageField(1, outside))]), 'sparse initializers')
})

test('subgraphs, functions and training info are refused', () => {
  const body = [...node('Relu', ['a'], ['b']), ...output('b', [1])]
  for (const operator of ['Loop', 'If', 'Scan', 'Relu']) {
    const looping = node(operator, ['x'], ['y'], { attributes: [attribute.graph('body', body)] })
    check(model([looping]), operator === 'Relu' ? 'a subgraph' : `operator ${operator}`)
  }
  check(model(relu, { more: [messageField(25, textField(1, 'f'))] }), 'local functions')
  check(model(relu, { more: [messageField(20, textField(1, 't'))] }), 'training info')
  check(model([messageField(1, textField(4, 'Relu'), textField(8, 'overload'))]), 'a call of a local function')
})

test('foreign operators and domains are refused', () => {
  check(model([node('Relu', ['x'], ['y'], { domain: 'com.evil' })]), 'operator com.evil.Relu')
  check(model([node('FusedMatMul', ['x', 'x'], ['y'])]), 'operator FusedMatMul')
  check(model([node('RandomNormal', [], ['y'])]), 'operator RandomNormal')
  check(model(relu, { opsets: [opset('', 21), opset('com.evil', 1)] }), 'domain "com.evil"')
  check(model(relu, { opsets: [opset('', 27)] }), 'operator set 27')
  check(model(relu, { opsets: [opset('', 21), opset('', 20)] }), 'two operator sets')
  check(model(relu, { opsets: [] }), 'no operator set')
  check(model(relu, { irVersion: 14 }), 'IR version 14')
})

test('sizes that lie or are absurd are refused', () => {
  check(model([...relu, floats('w', [1 << 20, 1 << 12], [1])]), 'has 4294967296 elements')
  check(model([...relu, floats('w', [1 << 20, 1 << 10], [1])]), 'of 1073741824 float32 elements has 4 bytes')
  const tensorOf = (type: number, bytes: number): Message =>
    messageField(5, textField(8, 'w'), intField(1, 3), intField(2, type), bytesField(9, new Uint8Array(bytes)))
  check(model([...relu, tensorOf(3, 12)]), 'of 3 int8 elements has 12 bytes')
  check(model([...relu, tensorOf(3, 3)]), null)
  check(model([...relu, tensorOf(10, 12)]), 'of 3 float16 elements has 12 bytes')
  check(model([...relu, tensorOf(10, 6)]), null)
  check(model([...relu, floats('w', [0, 2 ** 40], [])]), 'a dimension of 1099511627776')
  check(model([...relu, floats('w', [-1], [1])]), 'a dimension of -1')
  check(model([...relu, floats('w', [1, 1, 1, 1, 1, 1, 1, 1, 1], [1])]), '9 dimensions')
  check(model([...relu, messageField(5, textField(8, 'w'), intField(2, 8))]), 'element type 8')
  check(model([...relu, floats('w', [1], [1]), floats('w', [1], [2])]), 'two tensors named w')
  check(model([int64s('s', [1 << 20, 1 << 7]), node('Expand', ['x', 's'], ['y'])]), 'Expand to 134217728 elements')
  check(model([int64s('s', [2 ** 40]), node('ConstantOfShape', ['s'], ['y'])]), 'to a dimension of 1099511627776')
  check(model([int64s('s', [-1, 1 << 20, 8]), node('Reshape', ['x', 's'], ['y'])]), null)
  check(model([input('x', [2 ** 33])]), 'a dimension of 8589934592')
  check(model(Array(10_001).fill(node('Relu', ['x'], ['y']))), '10001 nodes')
  check(model(Array.from({ length: 5001 }, (_, i) => floats(`w${i}`, [1], [1]))), '5001 initializers')
  check(new Uint8Array(MAX_MODEL_BYTES + 1), 'at most')
})

test('bytes that another reader could read differently are refused', () => {
  check(new Uint8Array(), 'IR version 0')
  check(Buffer.from('not a model at all'), 'the model')
  check(model(relu, { more: [intField(1, 9)] }), 'field 1 of the model twice')
  check(model(relu, { more: [messageField(7, textField(2, 'second'))] }), 'field 7 of the model twice')
  check(model(relu, { more: [messageField(99, textField(1, '?'))] }), 'field 99 of the model')
  check(model([...relu, messageField(5, bytesField(1, Uint8Array.of(1, 2)))]), 'wire type 2')
  check(model([messageField(1, textField(4, 'Relu'), textField(7, 'x'.repeat(300)))]), 'a name of 300 bytes')
  check(Buffer.concat([model(relu), Buffer.alloc(12, 0xff)]), 'more than ten bytes')
})

const operatorsOf = (decoded: ModelProto): readonly string[] =>
  decoded.graph?.node.map(({ domain, opType }) => `${domain}:${opType}`) ?? []

test('whatever is accepted, another reader finds nothing forbidden in it (property)', () => {
  const honest = exported()
  const offsets = fc.integer({ min: 0, max: honest.length - 1 })
  const edit = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), at: offsets, byte: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ kind: fc.constant('cut' as const), at: offsets, length: fc.integer({ min: 1, max: 64 }) }),
    fc.record({ kind: fc.constant('repeat' as const), at: offsets, length: fc.integer({ min: 1, max: 64 }) }),
    fc.record({ kind: fc.constant('end' as const), at: offsets }),
  )
  const allowed = new Set([...OPERATORS].flatMap(([domain, names]) => [...names].map((name) => `${domain}:${name}`)))
  let accepted = 0
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      let bytes = Buffer.from(honest)
      for (const one of edits) {
        const [before, after] = [bytes.subarray(0, one.at), bytes.subarray(one.at)]
        if (one.kind === 'set') bytes = Buffer.concat([before, Buffer.of(one.byte), after.subarray(1)])
        if (one.kind === 'cut') bytes = Buffer.concat([before, after.subarray(one.length)])
        if (one.kind === 'repeat') bytes = Buffer.concat([before, after.subarray(0, one.length), after])
        if (one.kind === 'end') bytes = before
      }
      const result = checkOnnx(bytes)
      if (!result.ok) return
      accepted++
      const decoded = fromBinary(ModelProtoSchema, bytes)
      expect(operatorsOf(decoded).filter((name) => !allowed.has(name))).toEqual([])
      expect(decoded.functions).toEqual([])
      expect(decoded.graph?.initializer.every((tensor) => tensor.externalData.length === 0)).toBe(true)
      expect(decoded.graph?.node.every(({ attribute: all }) => all.every((one) => one.g === undefined))).toBe(true)
      expect(result.value.inputs.map(({ name }) => name)).toEqual(decoded.graph?.input.map(({ name }) => name))
    }),
    { numRuns: 3000 },
  )
  // Most changed bytes are weights, which are free.
  expect(accepted).toBeGreaterThan(100)
})
