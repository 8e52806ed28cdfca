/** A bundle with a true manifest around random bytes: for tests of everything that handles models without running them. */
import { sha256Hex } from '#shared/bundle/hash.ts'
import type { Manifest } from '#shared/bundle/manifest.ts'
import { randomStream } from '#shared/std/random.ts'

export type ExampleBundle = { readonly manifest: Buffer; readonly model: Buffer; readonly vectors: Buffer }

export const EXAMPLE_DIGEST = sha256Hex('the tokenizer of the example bundle')

export const exampleBundle = (
  seed: number,
  { modelBytes = 100_000, ...changes }: { readonly modelBytes?: number } & Partial<Manifest> = {},
): ExampleBundle => {
  const random = randomStream(seed, 'example-bundle')
  const model = Buffer.from(Array.from({ length: modelBytes }, () => random.index(256)))
  const vectors = Buffer.from(JSON.stringify({ seed, logits: [random.normal(), random.normal()] }))
  const file = (bytes: Buffer) => ({ sha256: sha256Hex(bytes), length: bytes.length })
  const manifest: Manifest = {
    schema: 'manifest/1',
    family: 'valley',
    parent: null,
    createdAt: '2026-05-14T05:30:00Z',
    modalities: [
      {
        kind: 'tabular',
        name: 'weather',
        variables: [{ type: 'number', name: 'airTemperatureC', mean: 9.5, deviation: 7.25 }],
      },
    ],
    tokenizerDigest: EXAMPLE_DIGEST,
    labels: [{ name: 'Strix aluco', taxonId: null, threshold: 0.5 }],
    graph: {
      mode: 'drop',
      opset: 21,
      irVersion: 10,
      minimumRuntime: '1.24.0',
      inputs: [{ name: 'hidden', type: 'float32', shape: ['batch', 'tokens'] }],
      outputs: [{ name: 'logits', type: 'float32', shape: ['batch', 1] }],
    },
    scores: [{ subset: 'weather', metric: 'macro-auc', value: 0.71, low: 0.66, high: 0.75 }],
    calibration: [{ group: '*', temperature: 1 }],
    provenance: {
      datasetHash: sha256Hex('data'),
      strategy: { name: 'miam' },
      seed,
      engine: 'example',
      host: 'example',
    },
    files: { model: file(model), vectors: file(vectors) },
    tolerance: { absolute: 1e-4, relative: 1e-4 },
    ...changes,
  }
  return { manifest: Buffer.from(JSON.stringify(manifest)), model, vectors }
}
