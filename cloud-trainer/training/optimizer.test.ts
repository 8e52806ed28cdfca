import fc from 'fast-check'
import { expect, test } from 'vitest'
import { randomStream } from '#shared/std/random.ts'
import { applyGradient, averagedWeights, type OptimizerOptions, startOptimizer } from './optimizer.ts'

/** The form that keeps x: y = (1−β1)z + β1·x; z ← z − γĝ; x ← (1−c)x + c·z. In float64. */
const oracle = (weights: readonly number[], { learningRate, weightDecay, warmupSteps }: OptimizerOptions) => {
  const x = [...weights]
  const z = [...weights]
  const v = weights.map(() => 0)
  let [k, largest, squares] = [0, 0, 0]
  const y = (i: number): number => 0.1 * z[i]! + 0.9 * x[i]!
  return {
    x,
    y,
    step: (gradient: readonly number[]) => {
      const rate = learningRate * Math.min(1, (k + 1) / warmupSteps)
      largest = Math.max(largest, rate)
      squares += largest ** 2
      const c = largest ** 2 / squares
      for (const [i, g] of gradient.entries()) {
        v[i] = 0.999 * v[i]! + 0.001 * g ** 2
        const direction = g / (Math.sqrt(v[i]! / (1 - 0.999 ** (k + 1))) + 1e-8) + weightDecay * y(i)
        z[i] = z[i]! - rate * direction
        x[i] = (1 - c) * x[i]! + c * z[i]!
      }
      k++
    },
  }
}

test('it agrees with the form that keeps x, to the rounding of float32', () => {
  const settings = fc.record({
    learningRate: fc.double({ min: 1e-4, max: 0.1, noNaN: true }),
    weightDecay: fc.double({ min: 0, max: 0.1, noNaN: true }),
    warmupSteps: fc.integer({ min: 1, max: 60 }),
    seed: fc.integer(),
  })
  fc.assert(
    fc.property(settings, ({ seed, ...options }) => {
      const { normal } = randomStream(seed, 'gradients')
      const weights = Float32Array.from({ length: 7 }, normal)
      const slow = oracle([...weights], options)
      let state = startOptimizer(weights)
      for (let k = 0; k < 100; k++) {
        const gradient = Float32Array.from(weights, normal)
        slow.step([...gradient])
        state = applyGradient(state, gradient, options)
      }
      const scale = Math.max(1, ...slow.x.map(Math.abs), ...state.z.map(Math.abs))
      for (const [i, x] of averagedWeights(state).entries()) {
        expect(Math.abs(x - slow.x[i]!)).toBeLessThan(2e-5 * scale)
        expect(Math.abs(state.y[i]! - slow.y(i))).toBeLessThan(2e-5 * scale)
      }
      expect(state.steps).toBe(100)
    }),
    { numRuns: 50 },
  )
})

test('the first step goes against the gradient by the first rate of the warm-up', () => {
  const state = applyGradient(startOptimizer(Float32Array.of(1, 1)), Float32Array.of(0.5, -3), {
    learningRate: 0.1,
    weightDecay: 0,
    warmupSteps: 10,
  })
  // c = 1 in the first step, so x = y = z, which moved by rate · sign(g).
  for (const array of [state.z, state.y, averagedWeights(state)]) {
    expect(array[0]).toBeCloseTo(0.99, 6)
    expect(array[1]).toBeCloseTo(1.01, 6)
  }
})

test('a gradient that is next to nothing moves little: ε is beside its size', () => {
  const options = { learningRate: 0.1, weightDecay: 0, warmupSteps: 1 }
  const state = applyGradient(startOptimizer(Float32Array.of(1, 0)), Float32Array.of(1e-8, 0), options)
  // ĝ = 1e-8 / (1e-8 + 1e-8).
  expect(state.z[0]).toBeCloseTo(0.95, 6)
  expect(state.z[1]).toBe(0)
})

test('it finds the minimum of a noisy bowl with an average that is quieter than its steps', () => {
  const { normal } = randomStream(2, 'bowl')
  let state = startOptimizer(Float32Array.of(5, -5, 5, -5))
  for (let k = 0; k < 3000; k++) {
    state = applyGradient(
      state,
      state.y.map((y) => y - 1 + normal()),
      { learningRate: 0.02, weightDecay: 0, warmupSteps: 100 },
    )
  }
  const distance = (array: Float32Array): number => Math.hypot(...array.map((value) => value - 1))
  expect(distance(averagedWeights(state))).toBeLessThan(0.15)
  expect(distance(averagedWeights(state))).toBeLessThan(distance(state.z))
})
