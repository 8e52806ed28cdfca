/** Which of ONNX Runtime's execution providers work on this machine. */
import { InferenceError } from './inference-error.ts'
import { startProcess } from './inference-process.ts'
import type { Provider } from './messages.ts'

export type ProviderProbe = { readonly name: string; readonly usable: boolean; readonly reason: string | null }

const PROVIDERS: readonly Provider[] = ['cpu', 'cuda', 'webgpu', 'dml', 'coreml']

/** y = relu(x), both float32 [1, 2]; written by our exporter. */
const TINY_MODEL =
  'CAoSCnVuZGVyc3Rvcnk6VAocCgF4EgF5GgxncmFwaC9SZWx1LjAiBFJlbHU6ABIKdW5kZXJzdG9yeVoTCgF4Eg4KDAgBEggKAggBCgIIAmITCgF5Eg4KDAgBEggKAggBCgIIAkIECgAQFUIRCg1jb20ubWljcm9zb2Z0EAE='

const probe = async (provider: Provider): Promise<ProviderProbe> => {
  try {
    await using process = await startProcess({
      model: Buffer.from(TINY_MODEL, 'base64'),
      threads: 1,
      provider,
      loadLimitMs: 20_000,
      answerLimitMs: 10_000,
      killAboveBytes: 2 ** 32,
    })
    const { data } = await process.run({ x: { data: Float32Array.of(-1, 2), shape: [1, 2] } }, 'y')
    const right = data[0] === 0 && data[1] === 2
    return { name: provider, usable: right, reason: right ? null : `it computes ${data.join(', ')} for 0, 2` }
  } catch (cause) {
    if (!(cause instanceof InferenceError)) throw cause
    return { name: provider, usable: false, reason: cause.message.split('\n')[0]!.slice(0, 300) }
  }
}

/**
 * Creates a session and runs it with each provider that we know, in a process of its own, one after the other: a
 * driver may crash, and what the library lists says little about what works. Takes a few seconds.
 */
export const probeProviders = async (): Promise<readonly ProviderProbe[]> => {
  const probes: ProviderProbe[] = []
  for (const provider of PROVIDERS) probes.push(await probe(provider))
  return probes
}
