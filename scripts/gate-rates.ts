/** Prints the table of docs/decisions on the gate: how often it refuses models that are as good, and worse ones. */
import '#shared/platform/preflight.ts'
import { drift, refusalRates, type World } from '#test/gate/rates.ts'

const SEED = 1
const TRIALS = 300
const CHAINS = 20
const worldOf = (observations: number, alike = 0.8): World => ({ observations, alike, tolerance: 0.02, resamples: 200 })
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`.padStart(6)

console.log(`refused of ${TRIALS} new models that are worse on one of eight subsets, tolerance 0.02`)
console.log('observations  alike  true fall   gate   mean  point singly  proof')
for (const [observations, alike] of [
  [50, 0.8],
  [200, 0.5],
  [200, 0.8],
  [500, 0.8],
] as const) {
  for (const fall of [0, 0.02, 0.05, 0.1]) {
    const { gate, mean, point, singly, proof } = refusalRates(worldOf(observations, alike), fall, TRIALS, SEED)
    const shares = [gate, mean, point, singly, proof].map(percent).join(' ')
    console.log(
      `${`${observations}`.padStart(12)} ${alike.toFixed(1).padStart(6)} ${fall.toFixed(2).padStart(10)} ${shares}`,
    )
  }
}

console.log(`\n${CHAINS} chains of ten new models, each lower than the current one on one subset`)
console.log('observations  step   held to    lost on average  at most  refused')
for (const observations of [200, 500]) {
  for (const step of [0, 0.018]) {
    for (const hasReference of [false, true]) {
      const { lost, most, refused } = drift(worldOf(observations), step, CHAINS, { hasReference, seed: SEED })
      const heldTo = (hasReference ? 'reference' : 'current').padEnd(10)
      const figures = `${lost.toFixed(3).padStart(15)} ${most.toFixed(3).padStart(8)}  ${percent(refused)}`
      console.log(`${`${observations}`.padStart(12)} ${step.toFixed(3).padStart(5)}   ${heldTo} ${figures}`)
    }
  }
}
