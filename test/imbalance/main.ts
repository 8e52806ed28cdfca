/**
 * When does MIAM help? `npx node test/imbalance/main.ts measure --out FILE` trains small models on made data, cell by cell
 * of a map of imbalance, and adds a line to FILE for each; what stands there is not done again. `report` makes tables and
 * pictures of it, `data` writes one made set as a folder for `trainer experiment`.
 */
import '#shared/platform/preflight.ts'
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { chooseStrategy } from '#cloud/masking/auto.ts'
import type { StrategyOptions } from '#cloud/masking/strategy.ts'
import { assert } from '#shared/std/assert.ts'
import { type Cell, CORE, heldOutCells, KAPPAS, MORE_RATES, RATES, REST, STRATEGIES } from './cells.ts'
import { type Dials, MIDDLE, modalitiesOf } from './dials.ts'
import { MEASURES, type MeasuredLine, TUNED, withTunedDropout } from './lines.ts'
import { differencePictures, differenceTable, fatesTable, measurementsCsv, regretTable } from './page.ts'
import { madeTrainingSet, runOnce, writeFolder } from './runs.ts'

const HELP = `Usage: npx node test/imbalance/main.ts measure --out FILE [--part PART] [--seeds 1,2,3,4,5] [--cells TEXT]
       npx node test/imbalance/main.ts report --in FILE --out FOLDER [--part held-out]
       npx node test/imbalance/main.ts data --out FOLDER [--dials JSON] [--seed N]

  measure     the map: its parts core (eight telling cells), rest, and tuning (of dropout's rate and of κ); or the part
              held-out, cells for testing with seeds of their own (101,102,103)
  --cells     only cells whose name has this text
  report      figures and a CSV of all runs in FOLDER, tables on standard output
  data        a made set as a folder with dataset.json
  --dials     what differs from ${JSON.stringify(MIDDLE)}
`

type Task = { readonly cell: Cell; readonly strategies: Readonly<Record<string, StrategyOptions>> }

const tasksOf = (cells: readonly Cell[], strategies: Task['strategies']) => cells.map((cell) => ({ cell, strategies }))

const PARTS: Readonly<Record<string, readonly Task[]>> = {
  core: tasksOf(CORE, STRATEGIES),
  rest: tasksOf(REST, STRATEGIES),
  tuning: [...tasksOf(CORE, MORE_RATES), ...tasksOf(CORE, KAPPAS)],
  'held-out': tasksOf(heldOutCells(), STRATEGIES),
}

const readLines = async (file: string): Promise<readonly MeasuredLine[]> => {
  const text = await readFile(file, 'utf8').catch(() => '') // the first call makes it
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as MeasuredLine)
}

/** Seed by seed, so that what stands early compares everything. */
const measure = async (file: string, tasks: readonly Task[], seeds: readonly number[]): Promise<void> => {
  const keyOf = ({ cell, strategy, seed }: Pick<MeasuredLine, 'cell' | 'strategy' | 'seed'>) =>
    JSON.stringify([cell, strategy, seed])
  const done = new Set((await readLines(file)).map(keyOf))
  for (const seed of seeds) {
    for (const { cell, strategies } of tasks) {
      const open = Object.entries(strategies).filter(
        ([strategy]) => !done.has(keyOf({ cell: cell.name, strategy, seed })),
      )
      if (open.length === 0) continue
      const set = await madeTrainingSet(cell.dials, seed)
      for (const [strategy, options] of open) {
        const line: MeasuredLine = { cell: cell.name, strategy, seed, ...(await runOnce(set, options, seed)) }
        await appendFile(file, `${JSON.stringify(line, rounded)}\n`)
        process.stderr.write(`seed ${seed}  ${cell.name}  ${strategy}  ${line.seconds.toFixed(1)} s\n`)
      }
    }
  }
}

const OPPONENTS = ['uniform', 'dropout 0.5', TUNED, 'opm', 'beta-hypercube', 'miam λ=3', ...Object.keys(KAPPAS)]

const tokensOf = ({ dials }: Cell): readonly number[] => modalitiesOf(dials).map(({ tokens }) => tokens)

/** The measured strategy that `--strategy auto` takes in a cell. */
const autoIn = (cell: Cell): string => {
  const { strategy } = chooseStrategy(tokensOf(cell))
  const found = Object.entries(STRATEGIES).find(([, options]) => isDeepStrictEqual(options, strategy))
  assert(found !== undefined, 'what the rule takes was measured', { ...strategy })
  return found[0]
}

const report = async (file: string, folder: string, all: readonly Cell[], prefix: string): Promise<void> => {
  const measuredLines = await readLines(file)
  const chosen = all.filter(({ name }) => measuredLines.some(({ cell }) => cell === name))
  const cells = chosen.map(({ name }) => name)
  const lines = withTunedDropout(measuredLines, RATES)
  const opponents = OPPONENTS.filter((name) => lines.some(({ strategy }) => strategy === name))
  const tables = MEASURES.map((measure) => differenceTable(lines, cells, 'miam', opponents, measure))
  const auto = (name: string) => autoIn(chosen.find((cell) => cell.name === name)!)
  const regrets = regretTable(lines, cells, Object.keys(STRATEGIES), { auto })
  const fates = fatesTable(
    chosen.map((cell) => ({ name: cell.name, tokens: tokensOf(cell) })),
    STRATEGIES,
  )
  process.stdout.write(`${[...tables, regrets, fates].join('\n\n')}\n`)
  await mkdir(join(folder, 'figures'), { recursive: true })
  await writeFile(join(folder, `${prefix}.csv`), measurementsCsv(lines))
  for (const { name, svg } of differencePictures(lines, cells, 'miam', opponents, 'average')) {
    await writeFile(join(folder, 'figures', `${prefix}-${name}.svg`), svg)
  }
}

/** Scores to a thousandth of a point. */
const rounded = (_: string, value: unknown): unknown => (typeof value === 'number' ? Number(value.toFixed(5)) : value)

const run = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      in: { type: 'string' },
      out: { type: 'string' },
      seeds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      dials: { type: 'string', default: '{}' },
      cells: { type: 'string', default: '' },
      part: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const [what] = positionals
  if (values.help || values.out === undefined || !['measure', 'report', 'data'].includes(what ?? '')) {
    process.stdout.write(HELP)
    process.exitCode = values.help ? 0 : 2
    return
  }
  if (what === 'data') {
    const dials: Dials = { ...MIDDLE, ...(JSON.parse(values.dials) as Partial<Dials>) }
    await writeFolder(resolve(values.out), dials, Number(values.seed))
    return
  }
  const isHeldOut = values.part === 'held-out'
  if (what === 'report') {
    assert(values.in !== undefined, 'a report is of a file: --in FILE')
    const cells = isHeldOut ? heldOutCells() : [...CORE, ...REST]
    await report(resolve(values.in), resolve(values.out), cells, isHeldOut ? 'held-out' : 'map')
    return
  }
  const seeds = (values.seeds ?? (isHeldOut ? '101,102,103' : '1,2,3,4,5')).split(',').map(Number)
  assert(seeds.every(Number.isInteger), 'seeds are numbers', { seeds: values.seeds })
  const tasks = values.part === undefined ? [...PARTS.core!, ...PARTS.rest!, ...PARTS.tuning!] : PARTS[values.part]
  assert(tasks !== undefined, 'there is such a part', { part: values.part, parts: Object.keys(PARTS) })
  const chosen = tasks.filter(({ cell }) => cell.name.includes(values.cells))
  await measure(resolve(values.out), chosen, seeds)
}

await run()
