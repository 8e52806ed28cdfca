/**
 * What the stations sent and people labelled, as a data set.
 *
 * Labels of one observation may contradict each other: for each taxon the label that arrived last and names it holds,
 * so a correction corrects. Training and validation are apart in time: a block is one deployment on one day, so hours
 * that lie side by side stand on the same side, those around midnight (UTC) excepted. A block's part follows from its name alone, so it stays the
 * same when data are added, and a model that goes on training never meets its validation part.
 */
import { createHash } from 'node:crypto'
import type { LabelledObservation } from '#shared/domain/labelled-observation.ts'
import type { Observation } from '#shared/domain/observation.ts'
import type { LabelSpec } from '../model/training-set.ts'
import { DatasetError } from './dataset-error.ts'
import { inferTemplates } from './infer-templates.ts'
import type { DatasetWarning, RawExample, RawSet } from './raw-set.ts'

export type FromLabelledOptions = {
  /** Taxa said to be present in fewer observations are left out, with a warning. */
  readonly minimumPositives?: number
  /** Expected share of the blocks, above 0 and below 1. */
  readonly validationShare?: number
  /** Length of a block, from midnight UTC on. */
  readonly blockMs?: number
  readonly onWarning?: (warning: DatasetWarning) => void
}

const DAY_MS = 86_400_000

/** Throws DatasetError `too-few` when no taxon, no modality or fewer than two blocks are left. */
export const fromLabelled = (
  labelled: readonly LabelledObservation[],
  {
    minimumPositives = 5,
    validationShare = 0.22,
    blockMs = DAY_MS,
    onWarning = () => undefined,
  }: FromLabelledOptions = {},
): RawSet => {
  const usable = labelled.filter(({ readings }) => readings.length > 0)
  const said = usable.map(sayings)
  const labels = frequentTaxa(said, minimumPositives, onWarning)
  const known = said.map((it) => Float32Array.from(labels, ({ name }) => it.get(name) ?? Number.NaN))
  const chosen = usable.map((it, i) => ({ ...it, known: known[i]! })).filter((it) => !it.known.every(Number.isNaN))
  if (chosen.length < labelled.length) {
    const count = labelled.length - chosen.length
    onWarning({ code: 'unused-rows', subject: 'observations', count, detail: 'without readings, or without a label' })
  }

  const blockOf = ({ deployment, window }: Observation) => `${deployment}/${Math.floor(window.startMs / blockMs)}`
  const validation = validationBlocks(new Set(chosen.map((it) => blockOf(it.observation))), validationShare)
  const examples = chosen.map(
    ({ observation, readings, known: own }): RawExample => ({
      // Two nodes may observe one deployment.
      id: `${observation.node}/${observation.id}`,
      readings,
      window: observation.window,
      part: validation.has(blockOf(observation)) ? 'validation' : 'train',
      labels: own,
    }),
  )
  const templates = inferTemplates(allReadings(examples), onWarning)
  if (templates.length === 0) throw new DatasetError('too-few', 'no reading has anything that tokens can be made of')
  return { templates, labels, examples }
}

function* allReadings(examples: readonly RawExample[]) {
  for (const { readings } of examples) yield* readings
}

/** 1 or 0 for each taxon that somebody named. */
const sayings = ({ labels }: LabelledObservation): ReadonlyMap<string, 0 | 1> => {
  const said = new Map<string, 0 | 1>()
  for (const { present, absent } of labels) {
    for (const taxon of absent) said.set(taxon, 0)
    for (const taxon of present) said.set(taxon, 1)
  }
  return said
}

const frequentTaxa = (
  said: readonly ReadonlyMap<string, 0 | 1>[],
  fewest: number,
  warn: (warning: DatasetWarning) => void,
): readonly LabelSpec[] => {
  const positives = new Map<string, number>()
  for (const one of said) for (const [taxon, value] of one) positives.set(taxon, (positives.get(taxon) ?? 0) + value)
  const taxa = [...positives.keys()].sort()
  for (const taxon of taxa) {
    const count = positives.get(taxon)!
    if (count < fewest) warn({ code: 'rare-label', subject: taxon, count, detail: `fewer than ${fewest} positives` })
  }
  const frequent = taxa.filter((taxon) => positives.get(taxon)! >= fewest)
  if (frequent.length === 0)
    throw new DatasetError('too-few', `no taxon was present in ${fewest} labelled observations`)
  return frequent.map((name) => ({ name, taxonId: null }))
}

/**
 * Blocks whose hash lies in the first `share` of all hashes. While the data are so few that one part would be empty,
 * the block of the least or the greatest hash makes up for it.
 */
const validationBlocks = (blocks: ReadonlySet<string>, share: number): ReadonlySet<string> => {
  if (blocks.size < 2) {
    throw new DatasetError('too-few', 'labels of fewer than two deployment days leave nothing to validate on')
  }
  const sorted = [...blocks].map((block) => ({ block, at: position(block) })).sort((a, b) => a.at - b.at)
  const count = sorted.filter(({ at }) => at < share).length
  const most = Math.min(Math.max(count, 1), sorted.length - 1)
  return new Set(sorted.slice(0, most).map(({ block }) => block))
}

/** In [0, 1), evenly spread over names. */
const position = (name: string): number => createHash('sha256').update(name).digest().readUIntBE(0, 6) / 2 ** 48
