/**
 * Schedule-free AdamW (Defazio et al. 2024, "The Road Less Scheduled"; in the form of facebookresearch/schedule_free).
 * Gradients are taken at y; measured and exported is x = y + (1 − 1/β1)·(z − y), an average over the steps, so no
 * rate has to fall towards a planned end. Decay applies to all parameters.
 *
 * In step k = 0, 1, …, with gradient g and decay λ:
 *   γ = rate · min(1, (k+1)/warmup)      v ← β2·v + (1−β2)·g²      ĝ = g / (√(v / (1 − β2^(k+1))) + ε) + λ·y
 *   G ← max(G, γ);  S ← S + G²;  c = G²/S
 *   y ← y + c·(z − y) + γ·(β1·(1−c) − 1)·ĝ      z ← z − γ·ĝ
 */
import { assert } from '#shared/std/assert.ts'

export type OptimizerOptions = {
  readonly learningRate: number
  readonly weightDecay: number
  /** Steps over which the rate rises from 0; at least 1. */
  readonly warmupSteps: number
}

/** All that a run must keep to go on exactly. The arrays are written by `applyGradient`. */
export type OptimizerState = {
  readonly y: Float32Array
  readonly z: Float32Array
  readonly v: Float32Array
  /** Steps done; G and S above. */
  readonly steps: number
  readonly largestRate: number
  readonly squaredRates: number
}

const BETA1 = 0.9
const BETA2 = 0.999
const EPSILON = 1e-8

export const startOptimizer = (weights: Float32Array): OptimizerState => ({
  y: weights.slice(),
  z: weights.slice(),
  v: new Float32Array(weights.length),
  steps: 0,
  largestRate: 0,
  squaredRates: 0,
})

/**
 * One step. Changes the arrays in place and returns the state that holds them from now on. The first `frozen` weights
 * stay as they are, whatever their gradient and decay.
 */
export const applyGradient = (
  state: OptimizerState,
  gradient: Float32Array,
  { learningRate, weightDecay, warmupSteps }: OptimizerOptions,
  frozen = 0,
): OptimizerState => {
  const { y, z, v } = state
  assert(gradient.length === y.length, 'a gradient fits the weights', { gradient: gradient.length, weights: y.length })
  const steps = state.steps + 1
  const rate = learningRate * Math.min(1, steps / warmupSteps)
  const largestRate = Math.max(state.largestRate, rate)
  const squaredRates = state.squaredRates + largestRate ** 2
  const c = largestRate ** 2 / squaredRates
  const correction = 1 / (1 - BETA2 ** steps)
  const along = rate * (BETA1 * (1 - c) - 1)
  for (let i = frozen; i < y.length; i++) {
    const g = gradient[i]!
    const yi = y[i]!
    const zi = z[i]!
    const vi = BETA2 * v[i]! + (1 - BETA2) * g * g
    const direction = g / (Math.sqrt(vi * correction) + EPSILON) + weightDecay * yi
    v[i] = vi
    y[i] = yi + c * (zi - yi) + along * direction
    z[i] = zi - rate * direction
  }
  return { y, z, v, steps, largestRate, squaredRates }
}

/** x, in an array of its own. */
export const averagedWeights = ({ y, z }: OptimizerState): Float32Array => {
  const factor = 1 - 1 / BETA1
  return y.map((value, i) => value + factor * (z[i]! - value))
}
