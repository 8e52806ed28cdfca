import type { Manifest } from '#shared/bundle/manifest.ts'
import { mostRowsPerRun } from '#shared/bundle/precision.ts'
import { packInferenceBatch } from '#shared/tokens/batch.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { InferenceError } from './inference-error.ts'
import type { InferenceProcess } from './inference-process.ts'
import { LOGITS } from './interface.ts'

/** Observations per run: it bounds the time and memory of an answer, and larger batches are no faster. */
const BATCH_ROWS = 32

export type LoadedModel = {
  readonly process: Pick<InferenceProcess, 'run'>
  readonly manifest: Manifest
  readonly layout: TokenLayout
}

/**
 * Uncalibrated logits of each observation, in runs of `batchRows`, or of fewer when the model wants it. Packing happens
 * on this side, so hidden values never leave the caller's process. Throws InferenceError.
 */
export const logitsOf = async (
  { process, manifest, layout }: LoadedModel,
  rows: readonly TokenSet[],
  batchRows: number = BATCH_ROWS,
): Promise<readonly Float32Array[]> => {
  const most = mostRowsPerRun(manifest.precision?.kind, batchRows)
  const all: Float32Array[] = []
  for (let at = 0; at < rows.length; at += most) {
    const batch = rows.slice(at, at + most)
    const {
      rows: count,
      columns,
      data,
    } = await process.run(packInferenceBatch(layout, manifest.graph.mode, batch), LOGITS)
    if (count !== batch.length || columns !== manifest.labels.length) {
      throw new InferenceError('output', `${count} × ${columns} logits for ${batch.length} observations`)
    }
    for (let b = 0; b < count; b++) all.push(data.subarray(b * columns, (b + 1) * columns))
  }
  return all
}
