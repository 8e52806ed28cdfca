/** How long models take for one observation alone, side by side, on one thread of this machine. */
import { cpus } from 'node:os'
import type { ManifestPrecision } from '#shared/bundle/manifest.ts'
import { installedRuntimeVersion } from '#shared/platform/ort-version.ts'
import { openThread } from '#shared/platform/thread.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import type { ModelConfig } from '../model/config.ts'
import { ExportError } from './export-error.ts'
import type { SpeedAnswer, SpeedTask } from './speed-protocol.ts'

export type SpeedOptions = {
  /** Of the models: 'drop' or 'replace'. */
  readonly mode: ModelConfig['mode']
  readonly layout: TokenLayout
  /** Observations as they are; a few dozen. */
  readonly rows: readonly TokenSet[]
}

/** Milliseconds in the order of the models. Takes a few seconds. */
export const measureSpeed = async (
  models: readonly Uint8Array[],
  { mode, layout, rows }: SpeedOptions,
): Promise<{ readonly milliseconds: readonly number[]; readonly conditions: ManifestPrecision['conditions'] }> => {
  const worker = openThread<SpeedTask, SpeedAnswer>(new URL('./speed-worker.ts', import.meta.url), null)
  try {
    const milliseconds = await worker.ask({ models, mode, layout, rows })
    return { milliseconds, conditions: conditionsOf(rows) }
  } catch (cause) {
    throw new ExportError('runtime', 'the exported model could not be timed', { cause })
  } finally {
    await worker.close()
  }
}

const visible = ({ hidden }: TokenSet): number => hidden.reduce((count, bit) => count + (bit === 0 ? 1 : 0), 0)

const conditionsOf = (rows: readonly TokenSet[]): ManifestPrecision['conditions'] => ({
  // The kind of processor, not the host's name: releases are read by strangers.
  cpu: `${process.arch}, ${cpus()[0]?.model ?? 'unknown'}`,
  threads: 1,
  observations: rows.length,
  tokens: rows.map(visible).toSorted((a, b) => a - b)[rows.length >> 1]!,
  runtime: installedRuntimeVersion(),
})
