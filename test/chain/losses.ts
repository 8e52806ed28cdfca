/** Whether everything that was sent has arrived, once, and was answered by the right model. */
import type { Showing } from './plan.ts'
import type { StationRun } from './station-run.ts'

/** In words; empty when nothing was lost. */
export const lossesOf = (
  showings: readonly Showing[],
  { sent, counts, predictions, version }: Pick<StationRun, 'sent' | 'counts' | 'predictions' | 'version'>,
): readonly string[] => {
  const stored = new Map(predictions.map((prediction) => [prediction.observation, prediction]))
  const expected = showings.filter(({ readings }) => readings.length > 0)
  const lost = expected.filter((it) => stored.get(it.observation)?.readings !== it.readings.length).length
  const foreign = predictions.filter(({ model }) => model !== version).length
  const complain = (isTrue: boolean, what: string) => (isTrue ? [what] : [])
  return [
    ...complain(
      counts.readings !== sent.messages,
      `${sent.messages} readings were sent, ${counts.readings} are stored`,
    ),
    ...complain(counts.rejected > 0, `${counts.rejected} readings were rejected`),
    ...complain(lost > 0, `${lost} of ${expected.length} observations lack readings or their prediction`),
    ...complain(
      counts.observations !== expected.length,
      `${counts.observations} observations were made of ${expected.length}`,
    ),
    ...complain(foreign > 0, `${foreign} predictions are of another model than ${version}`),
  ]
}
