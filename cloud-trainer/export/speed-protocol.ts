import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import type { ModelConfig } from '../model/config.ts'

export type SpeedTask = {
  /** Bytes of files that take the same inputs. */
  readonly models: readonly Uint8Array[]
  readonly mode: ModelConfig['mode']
  readonly layout: TokenLayout
  readonly rows: readonly TokenSet[]
}

/** Median milliseconds of one observation alone, by model. */
export type SpeedAnswer = readonly number[]
