/**
 * `npm run bench -- inference training [--small] [--seed N] [--surveys N] [--json]`: measures the named suites, all of them when none
 * is named. Readable lines go to standard error; with --json the last line of standard output is one array of rows.
 * A row whose two sides disagree is void, and ends the program with 1.
 */
import '#shared/platform/preflight.ts'
import { parseArgs } from 'node:util'

type Row = { readonly name: string; readonly void?: boolean }
type Suite = (options: {
  readonly small: boolean
  readonly seed: number
  /** Of made surveys; null: as many as the suite takes by itself. */
  readonly surveys: number | null
}) => Promise<readonly Row[]>

const SUITES: Readonly<Record<string, () => Promise<Suite>>> = {
  inference: async () => (await import('./inference.ts')).runInferenceBench,
  geoplant: async () => (await import('./geoplant.ts')).runGeoPlantBench,
  epoch: async () => (await import('./epoch.ts')).runEpochBench,
  training: async () => (await import('./training.ts')).runTrainingBench,
}

const HELP = `Usage: npm run bench -- [SUITE…] [--small] [--seed N] [--surveys N] [--json]

Suites: ${Object.keys(SUITES).join(', ')} (all when none is named)
  --small      a size that takes seconds, as in continuous checks
  --seed N     seed of weights and data (default 1)
  --surveys N  made surveys of the suite geoplant (default 3000; 60 when small)
  --json       one JSON array of rows as the last line of standard output
`

const readArguments = () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      small: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      surveys: { type: 'string' },
    },
  })
  const unknown = positionals.filter((name) => !(name in SUITES))
  if (unknown.length > 0) throw new TypeError(`no suite is named ${unknown.join(', ')}`)
  const seed = Number(values.seed)
  if (!Number.isInteger(seed)) throw new TypeError(`--seed wants an integer, not ${values.seed}`)
  const surveys = values.surveys === undefined ? null : Number(values.surveys)
  if (surveys !== null && !(Number.isInteger(surveys) && surveys > 0)) {
    throw new TypeError(`--surveys wants a count, not ${values.surveys}`)
  }
  return { ...values, seed, surveys, suites: positionals.length > 0 ? positionals : Object.keys(SUITES) }
}

const run = async (): Promise<number> => {
  const { small, seed, surveys, json, help, suites } = readArguments()
  if (help) {
    process.stdout.write(HELP)
    return 0
  }
  const rows: Row[] = []
  for (const name of suites) rows.push(...(await (await SUITES[name]!())({ small, seed, surveys })))
  if (json) process.stdout.write(`${JSON.stringify(rows)}\n`)
  return rows.some((row) => row.void) ? 1 : 0
}

try {
  process.exitCode = await run()
} catch (error) {
  if (!(error instanceof TypeError)) throw error
  process.stderr.write(`${error.message}\n\n${HELP}`)
  process.exitCode = 2
}
