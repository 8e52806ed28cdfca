/**
 * How good each model is on what neither has learned from: later hours of the same valley, without faults, through
 * the same parser and tokenizer as at a station, scored against the truth; and beside it the best that is possible.
 */
import { macroAuc } from '#cloud/metrics/auc.ts'
import { modalitySubset, restrict, type Subset } from '#cloud/model/subset.ts'
import { startInference } from '#edge/inference/inference.ts'
import { createReadingParser, type SensorProfile } from '#edge/readings/parse-message.ts'
import type { Manifest } from '#shared/bundle/manifest.ts'
import type { ModelVersion } from '#shared/domain/ids.ts'
import type { Reading } from '#shared/domain/reading.ts'
import type { TimeWindow } from '#shared/domain/time.ts'
import type { Log } from '#shared/platform/log.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { layoutOf } from '#shared/tokens/layout-of.ts'
import { tokenize } from '#shared/tokens/tokenize.ts'
import { bestPossibleAuc, STANDARD_SUBSETS, subsetName } from '#test/simulator/best-possible.ts'
import { NO_FAULTS } from '#test/simulator/faults.ts'
import type { Modality } from '#test/simulator/posterior.ts'
import { LABELS } from '#test/simulator/species.ts'
import { HOUR_MS, type Station } from '#test/simulator/station.ts'
import { createValley, type PlannedMessage } from '#test/simulator/valley.ts'

/** By subset: modality names joined by `+`. */
export type AucBySubset = Readonly<Record<string, number>>

export type ScoredModel = {
  readonly version: ModelVersion
  readonly manifest: Manifest
  readonly modelFile: string
}

type Exam = {
  readonly questions: readonly { readonly readings: readonly Reading[]; readonly window: TimeWindow }[]
  /** [questions × LABELS]. */
  readonly truth: Float32Array
}

export type ExamOptions = {
  readonly seed: number
  readonly stations: number
  readonly fromHour: number
  readonly hours: number
  /** The sensors of each station, as in its configuration. */
  readonly sensors: (station: Station) => ReadonlyMap<string, SensorProfile>
}

/** Hours that no model has seen: every sensor works, and the answers are known. */
export const setExam = async (options: ExamOptions): Promise<Exam> => {
  const { seed, stations, fromHour, hours } = options
  const valley = await createValley({ seed, stations, faults: NO_FAULTS })
  const parsers = new Map(
    valley.stations.map((station) => [
      station.node,
      createReadingParser({ node: station.node, sensors: options.sensors(station), clock: systemClock }),
    ]),
  )
  const questions: Exam['questions'][number][] = []
  const truth: number[] = []
  const read = async ({ station, topic, payload }: PlannedMessage): Promise<Reading> => {
    const parsed = await parsers.get(station.node)!(topic, payload)
    if (!parsed.ok) throw new Error(`a sensor without faults was rejected: ${parsed.error.detail}`)
    return parsed.value.reading
  }
  for (let hour = fromHour; hour < fromHour + hours; hour++) {
    for (const stationHour of await valley.hour(hour)) {
      const { startMs, present } = stationHour.truth
      const readings: Reading[] = []
      for (const message of stationHour.messages) readings.push(await read(message))
      questions.push({ readings, window: { startMs, endMs: startMs + HOUR_MS } })
      truth.push(...LABELS.map((label) => Number(present.includes(label))))
    }
  }
  return { questions, truth: Float32Array.from(truth) }
}

const BATCH = 64

const subsetOf = (layout: ReturnType<typeof layoutOf>, modalities: readonly Modality[]): Subset | null => {
  const indices = modalities.map((name) => layout.modalities.indexOf(name))
  return indices.includes(-1) ? null : modalitySubset(layout, indices, 'all')
}

/** Macro AUC of one model for every standard subset whose modalities it knows. */
export const markModel = async (exam: Exam, model: ScoredModel, log: Log): Promise<AucBySubset> => {
  const { modalities, labels } = model.manifest
  const layout = layoutOf(modalities)
  const rows = exam.questions.map(({ readings, window }) => tokenize(modalities, layout, readings, window))
  await using inference = await startInference({ ...model, log })
  const column = LABELS.map((name) => labels.findIndex((label) => label.name === name))
  const everyLabel = LABELS.map((_, i) => i)
  const scores: Record<string, number> = {}
  for (const names of STANDARD_SUBSETS) {
    const subset = subsetOf(layout, names)
    if (subset === null) continue
    const answers: number[] = []
    for (let from = 0; from < rows.length; from += BATCH) {
      const batch = rows.slice(from, from + BATCH).map((row) => restrict(row, subset))
      for (const { probabilities } of await inference.predict(batch)) {
        // A species that the model doesn't know yet gets the same answer everywhere.
        answers.push(...column.map((c) => (c < 0 ? 0 : probabilities[c]!)))
      }
    }
    scores[subsetName(names)] = macroAuc(answers, exam.truth, LABELS.length, everyLabel)
  }
  return scores
}

/** The Bayes posterior of the valley itself over the same season: no model can do better on average. */
export const bestMarks = ({ seed, stations, fromHour, hours }: ExamOptions): AucBySubset =>
  bestPossibleAuc({ seed, stations, hours: fromHour + hours, observations: 400, contexts: 300 })
