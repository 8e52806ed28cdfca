/** `trainer insight`: what a model's answers rest on, with tables, figures and files. */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '#shared/platform/atomic-file.ts'
import { helpText } from '#shared/std/help-text.ts'
import { parseCommand, UsageError, wholeNumber } from './command-line.ts'
import { SOURCE_HELP, SOURCE_OPTIONS, sourceOf } from './data-source.ts'
import { findingPage } from './insight/finding-page.ts'
import { csvTable, textTable } from './insight/table.ts'
import {
  contextOfSeries,
  contributionsOf,
  type Outcome,
  scoresOfBands,
  scoresOfSubsets,
  shapleyOfModalities,
} from './insight-analyses.ts'
import { type InsightInput, openInsightInput } from './insight-input.ts'
import { MEMORY_HELP, MEMORY_OPTIONS, memoryOf } from './open-set.ts'
import { DEFAULT_RESAMPLES } from './train-bundle.ts'

/** Change points are judged by the far tails of the resamples, after a correction for their number. */
const CONTEXT_RESAMPLES = 2000

const INSIGHT_HELP = `understory trainer insight – what a model's answers rest on

  trainer insight shapley    what each modality adds to the score, or with --observation to one answer
  trainer insight subsets    scores of chosen variables, bands or years, all else hidden
  trainer insight context    the score with the latest 1, 2, … periods of a series, and its change points
  trainer insight bands      scores of all combinations of a modality's parts, or of several modalities
  trainer insight tokens     what each token adds to the answer for one observation

  --bundle FOLDER      with manifest.json and model.onnx
  --out FOLDER         also writes <what>.html (figures, needs no network), .csv and .json there
  --part PART          train, validation or test (default: test if the data have it, else validation)
  --label A,B          scores these labels alone; with --observation explains these (default: the surest one)
  --seed N             of the bootstrap and of sampled orders (default 1)
  --resamples N        of the bootstrap behind the intervals (default ${DEFAULT_RESAMPLES}, for context ${CONTEXT_RESAMPLES})
  --observation ID     shapley, tokens: one observation, whichever part it lies in
  --permutations N     shapley, tokens: orders to sample where there are more than 10 inputs
  --slots A,B;NAME=C*  subsets: tokens or modalities by name, * for any characters
  --groups FILE        subsets: the same as JSON, [{"name": "spring", "tokens": ["weather.*[3]"]}]
  --modality NAME      context: a series; bands: a modality with parts, or several: A,B,C
${SOURCE_HELP}${MEMORY_HELP}
  --json               the last line of standard output is the result as one JSON object
  --help
`

const name = z.string().min(1)
const names = name.transform((text) => text.split(',').map((part) => part.trim()))

const COMMON = {
  ...SOURCE_OPTIONS,
  ...MEMORY_OPTIONS,
  bundle: name,
  out: name.optional(),
  label: names.optional(),
  seed: wholeNumber({ least: 0 }).default(1),
}

const measuredWith = (resamples: number) => ({
  ...COMMON,
  part: z.enum(['train', 'validation', 'test']).optional(),
  resamples: wholeNumber({ least: 0, most: 10_000 }).default(resamples),
})

const sampled = { permutations: wholeNumber({ least: 4, most: 1_000_000 }).optional() }

type Common = z.output<z.ZodObject<typeof COMMON>>

type Analysis = (args: readonly string[], signal: AbortSignal) => Promise<number>

/** The command line by its shape, then `run` on the opened input. */
const analysis =
  <Shape extends typeof COMMON>(
    what: string,
    shape: Shape,
    run: (
      input: InsightInput,
      values: z.output<z.ZodObject<Shape>> & { readonly labels: Common['label']; readonly signal: AbortSignal },
    ) => Promise<Outcome>,
  ): Analysis =>
  async (args, signal) => {
    const parsed = parseCommand(args, shape, ['json'])
    if (parsed === 'help') return help()
    const values = parsed.values as z.output<z.ZodObject<Shape>> & Common
    await using input = await openInsightInput(sourceOf(values), values.bundle, memoryOf(values), signal)
    const { finding, record } = await run(input, { ...values, labels: values.label, signal })
    const { family, createdAt, files } = input.model.manifest
    const json = {
      schema: 'insight/1',
      what,
      model: { family, createdAt, sha256: files.model.sha256 },
      dataHash: input.set.hash,
      ...record,
    }
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
    process.stdout.write(textOf(finding))
    if (values.out !== undefined) {
      const folder = resolve(values.out)
      await mkdir(folder, { recursive: true })
      await writeFileAtomic(join(folder, `${what}.html`), findingPage(finding))
      await writeFileAtomic(join(folder, `${what}.csv`), csvTable(finding.tables[0]!))
      await writeFileAtomic(join(folder, `${what}.json`), `${JSON.stringify(json, null, 1)}\n`)
      process.stdout.write(`${join(folder, `${what}.html`)}\n`)
    }
    if (parsed.flags.has('json')) process.stdout.write(`${JSON.stringify(json)}\n`)
    return 0
  }

const textOf = ({ title, about, tables }: Outcome['finding']): string =>
  `${title}\n${about.join('\n')}\n${tables.map((table) => `\n${table.name}\n${textTable(table)}\n`).join('')}`

const ANALYSES: Readonly<Record<string, Analysis>> = {
  shapley: analysis(
    'shapley',
    { ...measuredWith(DEFAULT_RESAMPLES), ...sampled, observation: name.optional() },
    (input, values) =>
      values.observation === undefined
        ? shapleyOfModalities(input, values)
        : contributionsOf('modality', input, { ...values, observation: values.observation }),
  ),
  subsets: analysis(
    'subsets',
    { ...measuredWith(DEFAULT_RESAMPLES), groups: name.optional(), slots: name.optional() },
    scoresOfSubsets,
  ),
  context: analysis('context', { ...measuredWith(CONTEXT_RESAMPLES), modality: name }, contextOfSeries),
  bands: analysis('bands', { ...measuredWith(DEFAULT_RESAMPLES), modality: name }, scoresOfBands),
  tokens: analysis('tokens', { ...COMMON, ...sampled, observation: name }, (input, values) =>
    contributionsOf('token', input, values),
  ),
}

export const explainModel = async ([what, ...args]: readonly string[], signal: AbortSignal): Promise<number> => {
  if (what === '--help') return help()
  if (what === undefined || what.startsWith('-'))
    throw new UsageError(`name one of ${Object.keys(ANALYSES).join(', ')}`)
  const analyse = Object.hasOwn(ANALYSES, what) ? ANALYSES[what] : undefined
  if (analyse !== undefined) return analyse(args, signal)
  throw new UsageError(`there is no insight "${what}"; there are ${Object.keys(ANALYSES).join(', ')}`)
}

const help = (): number => {
  process.stdout.write(helpText(INSIGHT_HELP))
  return 0
}
