/** The one door to ONNX Runtime (preflight must have turned its telemetry off first). */
import './preflight.ts'
import { createRequire } from 'node:module'
import * as ort from 'onnxruntime-node'

export type TensorData = Float32Array | Int32Array | Uint32Array | Uint8Array
/** A dense tensor. `data` is owned by the caller and may be reused after `run` has returned. */
export type Feed = { readonly data: TensorData; readonly shape: readonly number[] }
type Fetched = { readonly data: Float32Array; readonly shape: readonly number[] }

export type ModelSession = {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  /**
   * Runs the model. It blocks this thread in native code, so it belongs into a worker or a child process.
   * `outputs` limits what is computed and copied; all outputs when absent. Outputs are float32.
   */
  readonly run: (feeds: Readonly<Record<string, Feed>>, outputs?: readonly string[]) => Promise<Record<string, Fetched>>
  readonly close: () => Promise<void>
}

export type SessionOptions = {
  /** Threads inside one operator; more processes beat more threads. */
  readonly threads?: number
  /** Execution provider; creation throws when it can't be had (there is no silent fall-back). */
  readonly provider?: 'cpu' | 'cuda' | 'webgpu' | 'dml' | 'coreml'
}

const ELEMENT_TYPES = {
  Float32Array: 'float32',
  Int32Array: 'int32',
  Uint32Array: 'uint32',
  Uint8Array: 'uint8',
} as const

const toTensor = ({ data, shape }: Feed): ort.Tensor =>
  new ort.Tensor(ELEMENT_TYPES[data.constructor.name as keyof typeof ELEMENT_TYPES], data as Float32Array, shape)

export const openSession = async (bytes: Uint8Array, options: SessionOptions = {}): Promise<ModelSession> => {
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: [options.provider ?? 'cpu'],
    intraOpNumThreads: options.threads ?? 1,
    interOpNumThreads: 1,
    // `extra` values must be strings. Threads that spin cost more than they bring on shared cores.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    logSeverityLevel: 3,
  })
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    run: async (feeds, outputs) => {
      const tensors: Record<string, ort.Tensor> = {}
      for (const [name, feed] of Object.entries(feeds)) tensors[name] = toTensor(feed)
      const results = await (outputs ? session.run(tensors, [...outputs]) : session.run(tensors))
      const fetched: Record<string, Fetched> = {}
      for (const [name, tensor] of Object.entries(results)) {
        fetched[name] = { data: tensor.data as Float32Array, shape: tensor.dims }
      }
      return fetched
    },
    close: () => session.release(),
  }
}

/** Providers that this build of ONNX Runtime names, bundled or not. */
export const listProviders = (): readonly { readonly name: string; readonly bundled: boolean }[] =>
  ort.listSupportedBackends()

export const runtimeVersion = (): string =>
  (createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }).version
