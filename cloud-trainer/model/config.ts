/** The size and kind of a model. It is data: recorded in checkpoints, equal on every machine that continues one. */
import type { Task } from '#shared/domain/task.ts'
import { assert } from '#shared/std/assert.ts'

export type ModelConfig = {
  /** Numbers per token between the blocks; divisible by `heads`. */
  readonly width: number
  readonly layers: number
  readonly heads: number
  /** Width between the two linears of a block's feed-forward part. */
  readonly feedForward: number
  readonly activation: 'gelu' | 'relu'
  /**
   * What happens to hidden tokens. `drop`: they leave the sequence, and a CLS token is read.
   * `replace` (the paper's): a learned vector stands in for them, and the mean of all tokens is read.
   */
  readonly mode: 'drop' | 'replace'
  /** Learned frequencies of each variable of a periodic block. */
  readonly frequencies: number
  /** Standard deviation of their initial values, cut at three of it (Gorishniy et al. 2022). */
  readonly frequencySigma: number
  /** Logits per observation. */
  readonly labels: number
  /**
   * What the loss takes labels for. Multi-label when absent, and left out then: configurations are compared, and those
   * of older checkpoints have none.
   */
  readonly task?: Task
  /**
   * Share of the attention's probabilities and of what each branch adds that a training step drops; 0 when absent, and
   * left out then. The paper's is 0.1.
   */
  readonly dropout?: number
}

export const defaultModelConfig = (labels: number): ModelConfig => ({
  width: 64,
  layers: 3,
  heads: 8,
  feedForward: 256,
  activation: 'gelu',
  mode: 'drop',
  frequencies: 32,
  frequencySigma: 0.1,
  labels,
})

/** The same model as it is measured and exported. Its parameters are the same. */
export const withoutDropout = ({ dropout: _, ...config }: ModelConfig): ModelConfig => config

/** Refuses sizes that no model can have; called by everything that builds from a configuration. */
export const assertConfig = (config: ModelConfig): void => {
  const { width, layers, heads, feedForward, frequencies, labels, dropout = 0 } = config
  const sizes = [width, layers, heads, feedForward, frequencies, labels]
  assert(
    sizes.every((size) => Number.isInteger(size) && size > 0),
    'model sizes are positive integers',
    { ...config },
  )
  assert(dropout >= 0 && dropout < 1, 'the dropout is a share below 1', { dropout })
  assert(width % heads === 0, 'the width is divisible by the heads', { width, heads })
}
