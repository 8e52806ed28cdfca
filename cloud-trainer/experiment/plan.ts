/** Which runs an experiment has: every variant of a strategy with every seed. Pure. */

/** One training with one seed. */
export type PlannedRun = { readonly variant: string; readonly seed: number }

/** Names a strategy with its parameters, "dropout:rate=0.5"; equal parts in another order give the same key. */
export const variantKey = ({ name, ...parameters }: { readonly name: string }): string =>
  [
    name,
    ...Object.entries(parameters)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}=${value}`),
  ].join(':')

export type WrittenVariant = {
  readonly name: string
  readonly parameters: Readonly<Record<string, number | string>>
}

/** "miam:kappa=5" taken apart; null when a part is no `parameter=value`. What is a number becomes one. */
export const parseVariant = (text: string): WrittenVariant | null => {
  const [name, ...parts] = text.split(':').map((part) => part.trim())
  const pairs = parts.map((part) => /^([A-Za-z]\w*)=(.+)$/.exec(part))
  if (!name || pairs.includes(null)) return null
  const read = (value: string) => (Number.isFinite(Number(value)) ? Number(value) : value)
  return { name, parameters: Object.fromEntries(pairs.map((pair) => [pair![1]!, read(pair![2]!)])) }
}

/** A folder's name that is fit for every file system, and differs where keys differ. */
export const variantFolder = (key: string): string => key.replaceAll(':', '__')

/** All variants with the first seed, then with the second …: what stands early compares every variant. */
export const plannedRuns = (variants: readonly { readonly key: string }[], seeds: readonly number[]) =>
  seeds.flatMap((seed) => variants.map(({ key }): PlannedRun => ({ variant: key, seed })))
