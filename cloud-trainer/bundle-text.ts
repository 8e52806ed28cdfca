/** What a manifest says of calibration and precision, for people. */
import type { Manifest } from '#shared/bundle/manifest.ts'

/** Expected calibration error that the project aims at, in each group. */
const GOAL = 0.05

const PARTS = { test: 'test part', 'validation-halves': 'halves of the validation part' } as const

/** The range of the errors, and every group beyond the goal. */
export const calibrationLines = ({ calibrationErrors }: Pick<Manifest, 'calibrationErrors'>): readonly string[] => {
  if (calibrationErrors === undefined || calibrationErrors.groups.length === 0) return []
  const { groups, measuredOn } = calibrationErrors
  const after = groups.map((group) => group.after)
  const range = `${Math.min(...after).toFixed(3)} to ${Math.max(...after).toFixed(3)}`
  const missed = groups.filter((group) => group.after > GOAL)
  return [
    `calibration error ${range} in ${groups.length} groups (${PARTS[measuredOn]}; goal ${GOAL})`,
    ...missed.map(
      ({ group, before, after: error, chance, observations }) =>
        `  ${group}: ${error.toFixed(3)}, without temperature ${before.toFixed(3)}; honest probabilities would show ` +
        `${chance.toFixed(3)} among ${observations} answers`,
    ),
  ]
}

const points = (score: number): string => (100 * score).toFixed(2)
const kilobytes = (bytes: number): string => `${Math.round(bytes / 1000)} kB`
const fellBy = (drop: number, subset: string | null): string =>
  drop > 0 ? `${subset} falls by ${points(drop)} points` : 'no subset falls'

type FormRecord = NonNullable<Manifest['precision']>

/** What it would save and lose, and whether it was taken. */
const formLine = (
  { kind, allowedDrop, float32Bytes, float32MillisecondsPerObservation: float32Ms }: FormRecord,
  one: FormRecord['tried'][number],
): string => {
  const what =
    `${one.kind}: ${kilobytes(one.bytes)} instead of ${kilobytes(float32Bytes)}, ` +
    `${one.millisecondsPerObservation.toFixed(3)} instead of ${float32Ms.toFixed(3)} ms an observation`
  if (one.largestDrop === null) return `${what}; not taken, for nothing could be measured`
  const fall = `${fellBy(one.largestDrop, one.subset)} on the ${one.part} part`
  if (one.fault !== undefined) return `${what}; not taken, though ${fall}: ${one.fault}`
  return one.kind === kind
    ? `${what}; ${fall} (allowed ${points(allowedDrop)})`
    : `${what}; not taken: ${fall}, ${points(allowedDrop)} are allowed`
}

/** Each smaller form that was tried, and the one that was taken. */
export const precisionLines = ({ precision }: Pick<Manifest, 'precision'>): readonly string[] => {
  if (precision === undefined) return []
  const { tried, kind, conditions } = precision
  const { cpu, threads, tokens, observations } = conditions
  return [
    ...tried.map((one) => formLine(precision, one)),
    `model.onnx is ${kind} (times: medians of ${observations} observations alone, ${tokens} tokens, ${threads} thread, ${cpu})`,
  ]
}

/** The forms that were wanted and not taken, and why. */
export const refusedForms = ({ precision }: Pick<Manifest, 'precision'>): readonly string[] =>
  precision?.tried.filter(({ kind }) => kind !== precision.kind).map((one) => formLine(precision, one)) ?? []
