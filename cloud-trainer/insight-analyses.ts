/** Each analysis of `trainer insight`, from a command's values to what was found. */
import { readFile } from 'node:fs/promises'
import { randomStream } from '#shared/std/random.ts'
import type { TokenLayout, TokenSet } from '#shared/tokens/layout.ts'
import { UsageError } from './command-line.ts'
import { type Column, parseColumns, slotsOfColumn } from './experiment/columns.ts'
import { globalFinding, localFinding } from './insight/contribution-findings.ts'
import { globalShapley, localShapley, type Sampling, tokenContributions } from './insight/contributions.ts'
import type { Finding } from './insight/finding.ts'
import { modalityPlayers, type Player, partPlayers, tokenPlayers } from './insight/players.ts'
import { bandsFinding, contextFinding, subsetsFinding } from './insight/subset-findings.ts'
import { MOST_PARTS, scoreCombinations, scoreContext, scoreSubsets } from './insight/subsets.ts'
import {
  type InsightInput,
  labelsNamed,
  type Metric,
  type MetricOptions,
  metricOf,
  modelName,
  observationNamed,
} from './insight-input.ts'

export type Outcome = {
  readonly finding: Finding
  /** For machines; metrics as fractions. */
  readonly record: Readonly<Record<string, unknown>>
}

const measured = (finding: Finding, { record }: Metric, result: object): Outcome => ({
  finding,
  record: { ...record, ...result },
})

type SamplingValues = { readonly seed: number; readonly permutations?: number | undefined }

/** Orders that are sampled come in pairs, so an odd number is raised. */
const samplingOf = ({ seed, permutations }: SamplingValues, defaultPermutations: number): Sampling => ({
  pairs: Math.ceil((permutations ?? defaultPermutations) / 2),
  random: randomStream(seed, 'shapley'),
})

const MODALITY_PERMUTATIONS = 100

export const shapleyOfModalities = async (
  input: InsightInput,
  values: MetricOptions & SamplingValues,
): Promise<Outcome> => {
  const metric = metricOf(input, values)
  const { layout } = input.model
  const sampling = samplingOf(values, MODALITY_PERMUTATIONS)
  const found = await globalShapley(layout, metric.values, sampling)
  const permutations = permutationsOf(found, sampling)
  return measured(globalFinding(metric.subject, found), metric, { permutations, ...found })
}

/** Orders that were sampled; null when every coalition was evaluated. */
const permutationsOf = (
  { contributions }: { readonly contributions: readonly { readonly standardError: number | null }[] },
  { pairs }: Sampling,
): number | null => (contributions.some(({ standardError }) => standardError !== null) ? 2 * pairs : null)

type LocalValues = SamplingValues & {
  readonly observation: string
  readonly labels?: readonly string[] | undefined
  readonly signal: AbortSignal
}

/** Rows that sampling asks the model for at most by default: seconds for a small model, a minute for a large one. */
const TOKEN_ROWS = 20_000
const FEWEST_PERMUTATIONS = 20
const MOST_PERMUTATIONS = 1000

const tokenPermutations = (tokens: number): number =>
  Math.min(MOST_PERMUTATIONS, Math.max(FEWEST_PERMUTATIONS, Math.floor(TOKEN_ROWS / Math.max(1, tokens))))

export const contributionsOf = async (
  what: 'modality' | 'token',
  { model, set }: InsightInput,
  values: LocalValues,
): Promise<Outcome> => {
  const { layout, predict } = model
  const row = observationNamed(set, values.observation)
  const own = tokenPlayers(layout, row.hidden)
  const labels = values.labels === undefined ? [await surestLabel(model, row)] : labelsNamed(set, values.labels)
  const permutations = what === 'token' ? tokenPermutations(own.length) : MODALITY_PERMUTATIONS
  const sampling = samplingOf(values, permutations)
  const analyse = what === 'token' ? tokenContributions : localShapley
  const answers = await analyse({ layout, row, labels, predict, sampling, signal: values.signal })
  const missing = modalityPlayers(layout).filter(({ slots }) => slots.every((slot) => row.hidden[slot] !== 0))
  const names = set.labels.map(({ name }) => name)
  const subject = {
    model: modelName(model),
    observation: values.observation,
    labels: names,
    missing: missing.map(({ name }) => name),
  }
  return {
    finding: localFinding(what, subject, layout, answers),
    record: {
      observation: values.observation,
      seed: values.seed,
      permutations: permutationsOf(answers[0]!, sampling),
      answers: answers.map((answer) => ({ ...answer, label: names[answer.label]! })),
    },
  }
}

const surestLabel = async ({ predict }: InsightInput['model'], row: TokenSet) => {
  const logits = await predict([row])
  return logits.indexOf(Math.max(...logits))
}

type SubsetValues = MetricOptions & { readonly groups?: string | undefined; readonly slots?: string | undefined }

export const scoresOfSubsets = async (input: InsightInput, values: SubsetValues): Promise<Outcome> => {
  const { layout } = input.model
  const columns = await columnsOf(values)
  const subsets = columns.map((column) => slotsOf(layout, column, values.groups === undefined ? '--slots' : '--groups'))
  const metric = metricOf(input, values)
  const found = await scoreSubsets(layout, subsets, metric.values)
  const named = found.subsets.map((subset, i) => ({
    ...subset,
    slots: subsets[i]!.slots.map((slot) => layout.slots[slot]!.name),
  }))
  return measured(subsetsFinding(metric.subject, found), metric, { ...found, subsets: named })
}

const columnsOf = async ({ groups, slots }: SubsetValues): Promise<readonly Column[]> => {
  if ((groups === undefined) === (slots === undefined)) throw new UsageError('one of --groups and --slots is needed')
  const columns = parseColumns(slots === undefined ? await readJson(groups!) : writtenColumns(slots))
  if (columns.ok) return columns.value
  throw new UsageError(`${slots === undefined ? '--groups' : '--slots'}: ${columns.error}`)
}

/** "a,b;warmth=c*": subsets apart by semicolons, each with a name or named as it is written. */
const writtenColumns = (text: string): readonly Column[] =>
  text
    .split(';')
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const [, name, tokens] = /^(?:([^=]*)=)?(.*)$/s.exec(part)!
      return { name: (name ?? part).trim(), tokens: tokens!.split(',').map((token) => token.trim()) }
    })

const readJson = async (file: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new UsageError(`--groups: ${file} is no JSON file`, { cause })
  }
}

const slotsOf = (layout: TokenLayout, column: Column, option: string): Player => {
  const names = slotsOfColumn(layout, column)
  if (!names.ok) {
    const some = layout.slots.slice(0, 5).map(({ name }) => name)
    throw new UsageError(`${option}: ${names.error}; tokens are named like ${some.join(', ')}`)
  }
  return {
    name: column.name,
    slots: layout.slots.flatMap(({ name }, slot) => (names.value.includes(name) ? [slot] : [])),
  }
}

type ModalityValues = MetricOptions & { readonly modality: string }

export const contextOfSeries = async (input: InsightInput, values: ModalityValues): Promise<Outcome> => {
  const { manifest, layout } = input.model
  const series = manifest.modalities.filter((spec) => spec.kind === 'series')
  const spec = series.find(({ name }) => name === values.modality)
  if (spec === undefined) {
    const known = series.length === 0 ? 'the model has none' : `there are ${series.map(({ name }) => name).join(', ')}`
    throw new UsageError(`--modality: "${values.modality}" is no series; ${known}`)
  }
  if (spec.periods < 2) throw new UsageError(`--modality: "${spec.name}" has a single period, so there is no curve`)
  const metric = metricOf(input, values)
  const curve = await scoreContext(layout, spec, metric.values)
  const period = spanText(spec.stepMs * spec.stepsPerPeriod)
  const finding = contextFinding(metric.subject, { modality: spec.name, period }, curve)
  return measured(finding, metric, { modality: spec.name, periodMs: spec.stepMs * spec.stepsPerPeriod, ...curve })
}

const DAY_MS = 86_400_000
const YEAR_DAYS = 365.25

/** "1 year", "16 days", "6 hours". A year may be 360 days of monthly steps. */
const spanText = (ms: number): string => {
  const counted = (count: number, unit: string): string =>
    `${Number(count.toPrecision(3))} ${unit}${count === 1 ? '' : 's'}`
  const days = ms / DAY_MS
  const years = Math.round(days / YEAR_DAYS)
  if (years > 0 && Math.abs(days / years - YEAR_DAYS) < 6) return counted(years, 'year')
  return days >= 1 ? counted(days, 'day') : counted(ms / 3_600_000, 'hour')
}

export const scoresOfBands = async (input: InsightInput, values: ModalityValues): Promise<Outcome> => {
  const parts = bandsOf(
    input,
    values.modality.split(',').map((name) => name.trim()),
  )
  const metric = metricOf(input, values)
  const combinations = await scoreCombinations(input.model.layout, parts, metric.values)
  const names = parts.map(({ name }) => name)
  return measured(bandsFinding(metric.subject, names, combinations), metric, {
    bands: names,
    combinations: combinations.map(({ shows, ...score }) => ({ bands: names.filter((_, i) => shows[i]), ...score })),
  })
}

/** Several modalities are a band each; of a single one its parts are. */
const bandsOf = ({ model }: InsightInput, names: readonly string[]): readonly Player[] => {
  const { layout, manifest } = model
  for (const name of names) {
    if (layout.modalities.includes(name)) continue
    throw new UsageError(`--modality: no modality "${name}"; there are ${layout.modalities.join(', ')}`)
  }
  const [first] = names
  const bands =
    names.length > 1
      ? modalityPlayers(layout).filter(({ name }) => names.includes(name))
      : partPlayers(layout, layout.modalities.indexOf(first!)).map(({ name, slots }) => ({
          name: name.startsWith(`${first}.`) ? name.slice(first!.length + 1) : name,
          slots,
        }))
  if (bands.length > MOST_PARTS) {
    throw new UsageError(
      `--modality: ${bands.length} parts have ${2 ** bands.length - 1} combinations; at most ${MOST_PARTS} parts are combined`,
    )
  }
  if (bands.length > 1) return bands
  const spec = manifest.modalities.find(({ name }) => name === first)!
  const reason =
    spec.kind === 'image' && spec.channels > 1
      ? `a token of "${first}" holds all ${spec.channels} channels of its patch, so this model can't hide one of them; train one whose image names its "bands" in dataset.json`
      : `"${first}" has a single part, so there is nothing to combine; name several modalities to combine them`
  throw new UsageError(`--modality: ${reason}`)
}
