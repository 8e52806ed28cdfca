/** A made set as a folder with `dataset.json`, which every command of the trainer reads. Pure: file texts by name. */
import { LABELS, type MadeSet, TOKEN_SIZE } from './make.ts'

const HOUR_MS = 3_600_000
/** Significant digits of a cell. */
const DIGITS = 6

export const folderOf = ({ modalities, rows }: MadeSet): Readonly<Record<string, string>> => {
  const table = (head: readonly string[], cells: (row: MadeSet['rows'][number]) => Iterable<string | number>): string =>
    `${[['id', ...head], ...rows.map((row, i) => [i, ...cells(row)])].map((line) => line.join(',')).join('\n')}\n`
  const columns = (tokens: number) => Array.from({ length: tokens * TOKEN_SIZE }, (_, i) => `v${i}`)
  const description = {
    schema: 'dataset/1',
    about: 'Made by test/imbalance',
    table: 'rows.csv',
    id: 'id',
    split: { column: 'part', train: ['train'], validation: ['validation'], test: ['test'] },
    labels: { file: 'labels.csv', columns: 'others' },
    modalities: modalities.map(({ name, tokens }) => ({
      kind: 'series',
      name,
      stepMs: HOUR_MS,
      periods: tokens,
      file: `${name}.csv`,
      variables: [{ name: 'v', columns: columns(tokens) }],
    })),
  }
  const labels = Array.from({ length: LABELS }, (_, label) => `y${label}`)
  return {
    'dataset.json': `${JSON.stringify(description, null, 1)}\n`,
    'rows.csv': table(['part'], ({ part }) => [part]),
    'labels.csv': table(labels, (row) => row.labels),
    ...Object.fromEntries(
      modalities.map(({ name, tokens }, m) => [
        `${name}.csv`,
        table(columns(tokens), (row) => Array.from(row.tokens[m]!, (value) => Number(value.toPrecision(DIGITS)))),
      ]),
    ),
  }
}
