/** `trainer evaluate`: what a bundle scores on data, subset by subset. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { taskOf } from '#shared/domain/task.ts'
import { helpText } from '#shared/std/help-text.ts'
import { openBundleModel } from './bundle-model.ts'
import { parseCommand, UsageError, wholeNumber } from './command-line.ts'
import { SOURCE_HELP, SOURCE_OPTIONS, sourceOf } from './data-source.ts'
import { evaluateSubsets, labelsInAllParts } from './evaluation/evaluate.ts'
import { subsetsToMeasure } from './evaluation/subsets.ts'
import { MEMORY_HELP, MEMORY_OPTIONS, memoryOf, openSet } from './open-set.ts'
import { scoreTable } from './score-table.ts'
import { DEFAULT_RESAMPLES } from './train-bundle.ts'

const EVALUATE_HELP = `understory trainer evaluate – measures a bundle on every subset of its inputs

  --bundle FOLDER      with manifest.json and model.onnx
  --part PART          train, validation or test (default: test if the data have it, else validation)
  --seed N             of the bootstrap (default 1)
  --resamples N        of the bootstrap behind the intervals (default ${DEFAULT_RESAMPLES})
${SOURCE_HELP}${MEMORY_HELP}
  --json               the last line of standard output is the result as one JSON object
  --help
`

export const evaluateModel = async (args: readonly string[], signal: AbortSignal): Promise<number> => {
  const shape = {
    ...SOURCE_OPTIONS,
    ...MEMORY_OPTIONS,
    bundle: z.string().min(1),
    part: z.enum(['train', 'validation', 'test']).optional(),
    seed: wholeNumber({ least: 0 }).default(1),
    resamples: wholeNumber({ least: 0, most: 10_000 }).default(DEFAULT_RESAMPLES),
  }
  const parsed = parseCommand(args, shape, ['json'])
  if (parsed === 'help') {
    process.stdout.write(helpText(EVALUATE_HELP))
    return 0
  }
  const { values, flags } = parsed
  await using model = await openBundleModel(resolve(values.bundle))
  using set = await openSet(sourceOf(values), {
    memory: memoryOf(values),
    specs: model.manifest.modalities,
    labels: model.manifest.labels,
    onNote: (text) => void process.stderr.write(`note: ${text}\n`),
    signal,
  })
  const task = taskOf(model.manifest)
  if (taskOf(set) !== task) throw new UsageError(`--data: they are ${taskOf(set)}, the bundle is ${task}`)
  const part = values.part ?? (set.test === null ? 'validation' : 'test')
  const examples = set[part]
  if (examples === null || examples.ids.length === 0) throw new UsageError(`--part: the data have no ${part} part`)
  const known = labelsInAllParts(set)
  if (known.length === 0) {
    throw new UsageError('--bundle: none of its labels has both answers in every part of these data')
  }
  const evaluation = await evaluateSubsets(model.predict, examples, subsetsToMeasure(model.layout), {
    task,
    evaluated: known,
    seed: values.seed,
    resamples: values.resamples,
    signal,
  })
  const { scores, average, observations, evaluated } = evaluation
  process.stdout.write(
    `${observations} observations of the ${part} part, ${evaluated.length} labels\n${scoreTable(scores, average, task)}\n`,
  )
  if (flags.has('json')) {
    const labels = evaluated.map((label) => set.labels[label]!.name)
    process.stdout.write(`${JSON.stringify({ part, observations, labels, dataHash: set.hash, scores, average })}\n`)
  }
  return 0
}
