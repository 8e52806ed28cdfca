/** What a masking strategy lets a training run see: why it helps where it helps. Pure. */
import { openStrategy, type StrategyOptions } from '#cloud/masking/strategy.ts'
import { randomStream } from '#shared/std/random.ts'

const DRAWS = 20_000

export type Fates = {
  /** Share of training observations of which nothing is visible: nothing is learned of them but base rates. */
  readonly nothing: number
  /** Share in which tokens of this modality alone are visible, the least over the modalities. */
  readonly rarestAlone: number
}

/** Before there are scores. `tokens`: of each modality. From draws of p, exact given p. */
export const fatesOf = (options: StrategyOptions, tokens: readonly number[]): Fates => {
  const strategy = openStrategy(options, tokens)
  const random = randomStream(1, 'fates')
  let nothing = 0
  const alone = new Float64Array(tokens.length)
  for (let i = 0; i < DRAWS; i++) {
    const wholly = strategy.draw(random).map((p, m) => p ** tokens[m]!)
    const product = (values: readonly number[]) => values.reduce((a, b) => a * b, 1)
    nothing += product(wholly)
    for (const [m, hidden] of wholly.entries()) alone[m]! += (1 - hidden) * product(wholly.filter((_, j) => j !== m))
  }
  return { nothing: nothing / DRAWS, rarestAlone: Math.min(...alone) / DRAWS }
}
