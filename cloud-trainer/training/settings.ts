/** What makes two runs the same run: a checkpoint is continued only if all of this is equal. */
import { cpus } from 'node:os'
import { sha256Hex } from '#shared/bundle/hash.ts'
import { installedRuntimeVersion } from '#shared/platform/ort-version.ts'
import type { ScoreHistory } from '../masking/imbalance.ts'
import type { ModelConfig } from '../model/config.ts'
import type { Distillation } from './soft-targets.ts'

export type RunSettings = {
  /** Hash of the set. */
  readonly set: string
  readonly model: ModelConfig
  readonly strategy: Readonly<Record<string, string | number>>
  readonly seed: number
  readonly batchSize: number
  readonly learningRate: number
  readonly weightDecay: number
  readonly warmupSteps: number
  /** Hash of the weights that the run starts from; null for random ones. */
  readonly startFrom: string | null
  /** Left out when there is none. */
  readonly distillation?: Distillation
  /** Left out when scores are taken from the whole validation part. */
  readonly scoreSample?: number
  /** The scores that lean the masks of a probe; left out when everything is trained. */
  readonly probe?: ScoreHistory
  /** What hidden tokens are predicted for; left out where labels are learned. */
  readonly objective?: 'reconstruction'
}

/** What changes the last bits of a result but not what is computed. */
export type Engine = {
  readonly workers: number
  readonly cpu: string
  readonly node: string
  readonly runtime: string
}

export const thisEngine = (workers: number): Engine => ({
  workers,
  cpu: `${process.arch} ${cpus()[0]?.model ?? 'unknown'}`,
  node: process.versions.node,
  runtime: installedRuntimeVersion(),
})

export const hashOfWeights = (weights: Float32Array): string =>
  sha256Hex(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength))

/** "model.width was 64, is 128" for every value that differs. */
export const differences = (was: unknown, is: unknown, path = ''): readonly string[] => {
  if (!isRecord(was) || !isRecord(is)) {
    return Object.is(was, is) ? [] : [`${path} was ${JSON.stringify(was)}, is ${JSON.stringify(is)}`]
  }
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])]
  return names.flatMap((name) => differences(was[name], is[name], path === '' ? name : `${path}.${name}`))
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
