import { expect, test } from 'vitest'
import { fatesOf } from './fates.ts'

/** Five standard errors of a share of 20,000 draws, at most. */
const ERROR = 5 * Math.sqrt(0.25 / 20_000)

test('what is seen under uniform masks and under modality dropout follows the closed forms', () => {
  // Uniform: P(only m visible) = 1 / (1 + Σ_{j≠m} T_j) − 1 / (1 + Σ T_j), P(nothing) = 1 / (1 + Σ T_j).
  const uniform = fatesOf({ name: 'uniform' }, [8, 4, 2])
  expect(Math.abs(uniform.nothing - 1 / 15)).toBeLessThan(ERROR)
  expect(Math.abs(uniform.rarestAlone - (1 / 13 - 1 / 15))).toBeLessThan(ERROR)
  const dropout = fatesOf({ name: 'dropout', rate: 0.5 }, [8, 4, 2])
  expect(Math.abs(dropout.nothing - 1 / 8)).toBeLessThan(ERROR)
  expect(Math.abs(dropout.rarestAlone - 1 / 8)).toBeLessThan(ERROR)
})

test('MIAM shows a modality alone of many tokens, which uniform masks hardly do', () => {
  const tokens = [20, 20, 20]
  expect(fatesOf({ name: 'miam' }, tokens).rarestAlone).toBeGreaterThan(
    3 * fatesOf({ name: 'uniform' }, tokens).rarestAlone,
  )
})
