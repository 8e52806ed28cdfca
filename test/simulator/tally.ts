/** What a station and the cloud must have counted when everything has arrived. */
import type { RejectReason } from '#shared/domain/reading.ts'
import { REASON_OF } from './faults.ts'
import type { Modality } from './posterior.ts'
import type { StationHour } from './valley.ts'

export type Tally = {
  readonly stationHours: number
  /** Hours with at least one valid reading: what becomes an observation. */
  readonly observations: number
  /** Valid readings, each counted once. */
  readonly valid: number
  readonly validByModality: Readonly<Partial<Record<Modality, number>>>
  /** Second sendings of valid readings by sensors that forgot; resends of the transport come on top. */
  readonly repeats: number
  /** Valid readings sent more than 5 minutes after they were made. */
  readonly late: number
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>
  /** Readings never made. */
  readonly silent: number
  readonly stuck: number
  readonly labels: number
}

export const EMPTY_TALLY: Tally = {
  stationHours: 0,
  observations: 0,
  valid: 0,
  validByModality: {},
  repeats: 0,
  late: 0,
  rejected: {},
  silent: 0,
  stuck: 0,
  labels: 0,
}

const LATE_MS = 5 * 60_000

const addOne = <K extends string>(
  counts: Readonly<Partial<Record<K, number>>>,
  key: K,
): Partial<Record<K, number>> => ({
  ...counts,
  [key]: (counts[key] ?? 0) + 1,
})

const addStationHour = (tally: Tally, hour: StationHour): Tally => {
  const first = hour.messages.filter(({ isRepeat }) => !isRepeat)
  const valid = first.filter(({ fate }) => fate.kind === 'valid')
  const broken = first.flatMap(({ fate }) => (fate.kind === 'broken' ? [REASON_OF[fate.breakage]] : []))
  return {
    stationHours: tally.stationHours + 1,
    observations: tally.observations + (valid.length > 0 ? 1 : 0),
    valid: tally.valid + valid.length,
    validByModality: valid.reduce((counts, { modality }) => addOne(counts, modality), tally.validByModality),
    repeats: tally.repeats + hour.messages.length - first.length,
    late: tally.late + valid.filter(({ fate }) => fate.delayMs >= LATE_MS).length,
    rejected: broken.reduce(addOne, tally.rejected),
    silent: tally.silent + hour.silent.length,
    stuck: tally.stuck + valid.filter(({ fate }) => fate.kind === 'valid' && fate.stuckSinceHour !== null).length,
    labels: tally.labels + (hour.label ? 1 : 0),
  }
}

export const tallyOf = (hours: readonly StationHour[], before: Tally = EMPTY_TALLY): Tally =>
  hours.reduce(addStationHour, before)
