/** What an insight is about, and the sentences that every finding shares. */
export type Subject = {
  /** Name of the metric: "macro AUC" or "Top-1". */
  readonly metric: string
  /** For people: family and date of the model. */
  readonly model: string
  /** Of the data: "1500 observations of the test part". */
  readonly observations: string
  /** Names of those that count. */
  readonly labels: readonly string[]
  /** Of the bootstrap; 0 when there are no intervals. */
  readonly resamples: number
}

const MOST_NAMED = 6

export const subjectSentence = ({ metric, model, observations, labels }: Subject): string => {
  const named = labels.length <= MOST_NAMED ? `: ${labels.join(', ')}` : ''
  return `Model ${model}, ${metric} on ${observations}, ${labels.length} ${labels.length === 1 ? 'label' : 'labels'}${named}.`
}

export const bootstrapSentence = ({ resamples }: Subject): string =>
  resamples === 0
    ? 'No resamples were drawn, so there are no intervals.'
    : `Intervals are 2.5 and 97.5 percentiles of ${resamples} bootstrap resamples of whole observations (Efron and Tibshirani 1993), the same draws for every subset, so that differences are paired. Neighbouring sites count as independent: where they resemble one another the true intervals are wider. The spread between training seeds is not in them.`

/** Metrics are computed as fractions and told in points, 0 to 100. */
export const points = (fraction: number): number => 100 * fraction
