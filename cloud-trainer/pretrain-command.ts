/** `trainer pretrain`: an encoder that has learned the inputs, for `trainer train --start-from`. */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { helpText } from '#shared/std/help-text.ts'
import { parseCommand } from './command-line.ts'
import { readUnlabelled, SOURCE_HELP, SOURCE_OPTIONS, sourceOf } from './data-source.ts'
import type { DatasetWarning } from './dataset/raw-set.ts'
import { MEMORY_HELP, MEMORY_OPTIONS, memoryOf, openSet } from './open-set.ts'
import { writePretrained } from './pretrained-model.ts'
import { type AnyToAny, measureAnyToAny } from './pretraining/any-to-any.ts'
import { pretrain } from './pretraining/pretrain.ts'
import { openProgressBar } from './progress-bar.ts'
import { COURSE_OPTIONS, courseHelp, recipeOf, trainingOf } from './recipe.ts'

const PRETRAIN_HELP = `understory trainer pretrain – learns the inputs without labels, for "trainer train --start-from"

Tokens are hidden as in training and predicted from the visible ones. It learns from the training part and from rows
without labels: tables that dataset.json names as "unlabelled", of a disdat folder background.csv and presence_only.csv.

  --out FOLDER         pretrained.bin, pretraining.json with its course, and any-to-any.csv: how well a missing modality is
                       predicted from others on rows that were held out, beside the mean and a ridge regression
  --checkpoints FOLDER  of this run (default <out>.run); the same command goes on from them after a stop or a crash
  --labelled-only      leave the rows without labels out
${SOURCE_HELP}${MEMORY_HELP}
${courseHelp('best (default; by how much each modality explains of the others, on average) or last')}
  --json               the last line of standard output is the result as one JSON object
  --help

Progress goes to standard error. Ctrl-C leaves a checkpoint.
`

/** What belongs to labels and bundles, which there are none of. */
const NO_BUNDLE = {
  distill: 0,
  'distill-after': undefined,
  precision: 'float32',
  resamples: 0,
  'score-sample': undefined,
} as const

export const pretrainModel = async (args: readonly string[], signal: AbortSignal): Promise<number> => {
  const shape = {
    ...SOURCE_OPTIONS,
    ...MEMORY_OPTIONS,
    ...COURSE_OPTIONS,
    select: z.enum(['last', 'best']).default('best'),
    out: z.string().min(1),
    checkpoints: z.string().min(1).optional(),
  }
  const parsed = parseCommand(args, shape, ['json', 'labelled-only'])
  if (parsed === 'help') {
    process.stdout.write(helpText(PRETRAIN_HELP))
    return 0
  }
  const { values, flags } = parsed
  const source = sourceOf(values)
  const recipe = recipeOf({ ...values, ...NO_BUNDLE })
  const folder = resolve(values.out)
  const unlabelled = flags.has('labelled-only') ? [] : await readUnlabelled(source)
  if (unlabelled.length === 0) process.stderr.write('note: no rows beside the training part\n')
  using set = await openSet(source, {
    memory: memoryOf(values),
    ...(unlabelled.length === 0 ? {} : { more: async () => unlabelled }),
    onWarning: warn,
    onNote: (text) => void process.stderr.write(`note: ${text}\n`),
    signal,
  })
  using bar = openProgressBar({ ...set, metric: 'explained' })
  const training = trainingOf(recipe, { labels: 1, folder: resolve(values.checkpoints ?? `${folder}.run`) })
  const { startFrom: _, ...course } = training
  const made = await pretrain({ ...course, set, signal, onProgress: bar.show })
  await mkdir(folder, { recursive: true })
  const { model, strategy } = recipe
  await writePretrained(folder, made, { model, strategy, specs: set.specs, dataHash: set.hash })
  const anyToAny = await measureAnyToAny(made, set)
  const summary = {
    schema: 'pretraining/1',
    dataHash: set.hash,
    rows: { train: set.train.ids.length, unlabelled: unlabelled.length, validation: set.validation.ids.length },
    modalities: set.layout.modalities,
    model,
    strategy: made.strategy,
    seed: made.seed,
    selectedEpoch: made.selectedEpoch,
    epochs: made.epochs,
    notes: made.notes,
    seconds: made.seconds,
    anyToAny,
  }
  await writeFileAtomic(join(folder, 'pretraining.json'), `${JSON.stringify(summary, null, 1)}\n`)
  await writeFileAtomic(join(folder, 'any-to-any.csv'), anyToAnyCsv(anyToAny))
  const { scores, all } = made.epochs[made.selectedEpoch - 1]!
  const named = set.layout.modalities.map((name, m) => `${name} ${scores[m]!.toFixed(3)}`)
  process.stdout.write(
    [
      `${folder}: epoch ${made.selectedEpoch}, ${summary.rows.train} rows, ${unlabelled.length} of them without labels`,
      `explained of the other modalities by each alone: ${named.join(', ')}`,
      `explained of one modality by all others: ${all.toFixed(3)}`,
      anyToAnyText(anyToAny, set.layout.modalities.length),
      '',
    ].join('\n'),
  )
  if (flags.has('json')) process.stdout.write(`${JSON.stringify({ folder, ...summary })}\n`)
  return 0
}

/** Errors beside that of the mean, by source and target; `of` is the share of the mean's error that is left. */
const anyToAnyCsv = ({ entries }: AnyToAny): string => {
  const lines = entries.map(({ from, group, to, mean, ridge, penalty, model }) =>
    [from, group, to, mean, ridge ?? '', penalty ?? '', model, ridge === null ? '' : ridge / mean, model / mean].join(),
  )
  return `${['from,group,to,mean,ridge,penalty,model,ridgeOfMean,modelOfMean', ...lines].join('\n')}\n`
}

/** Each modality from all others. */
const anyToAnyText = ({ part, observations, entries }: AnyToAny, modalities: number): string => {
  const shown = entries.filter(({ from }) => from.split('+').length === modalities - 1)
  if (shown.length === 0) return ''
  const share = (error: number | null, mean: number) => (error === null ? '–' : (error / mean).toFixed(3))
  const width = Math.max(...shown.map(({ to }) => to.length))
  return [
    `error of a missing modality, predicted from all others on ${observations} rows of the ${part} part (the mean: 1)`,
    ...shown.map(
      ({ to, mean, ridge, model }) => `${to.padEnd(width)}  model ${share(model, mean)}  ridge ${share(ridge, mean)}`,
    ),
  ].join('\n')
}

const warn = ({ subject, count, detail }: DatasetWarning): void =>
  void process.stderr.write(`note: ${subject}: ${count} × ${detail}\n`)
