/** Mean and deviation of every number of a token set over a training part. */

import type { TokenLayout } from '#shared/tokens/layout.ts'
import type { TargetScale } from '../model/reconstruction-batch.ts'
import type { TokenRows } from '../model/token-rows.ts'

/** What is always the same, or never there, gets deviation 1: it becomes 0, and a later surprise stays in its own unit. */
export const targetScale = ({ slots, blocks, featureCount }: TokenLayout, rows: TokenRows): TargetScale => {
  const count = new Float64Array(featureCount)
  const mean = new Float64Array(featureCount)
  const squares = new Float64Array(featureCount)
  for (const row of rows) {
    const { hidden } = row
    const { features } = row
    for (const [s, { block, offset }] of slots.entries()) {
      if (hidden[s] === 1) continue
      for (let i = offset; i < offset + blocks[block]!.features; i++) {
        // Welford (1962): no difference of large sums.
        const away = features[i]! - mean[i]!
        mean[i]! += away / ++count[i]!
        squares[i]! += away * (features[i]! - mean[i]!)
      }
    }
  }
  return {
    mean: Float32Array.from(mean),
    deviation: Float32Array.from(squares, (sum, i) => {
      const deviation = Math.sqrt(sum / Math.max(1, count[i]!))
      return deviation > 1e-6 * Math.max(1, Math.abs(mean[i]!)) ? deviation : 1
    }),
  }
}
