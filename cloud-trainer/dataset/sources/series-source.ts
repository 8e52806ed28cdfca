/** Series: columns in the order of the steps, a table with a row for each step, or a cube for each row. */
import { gather, stridesOf } from '../arrays/elements.ts'
import { DatasetError } from '../dataset-error.ts'
import type { Table } from '../table.ts'
import { openArrayRows, textsOfArray } from './array-rows.ts'
import type { Described, ModalitySource, Need, SourceOptions } from './source.ts'
import { valueOrNull } from './source.ts'

type Series = Described<'series'>
type LongSeries = Extract<Series, { long: unknown }>
type CubeSeries = Extract<Series, { cube: unknown }>
type WideSeries = Exclude<Series, LongSeries | CubeSeries>

export const seriesNeeds = (series: Series): readonly Need[] => {
  if ('cube' in series) return [{ file: undefined, numbers: [], texts: textsOfArray(series.cube) }]
  if ('long' in series) {
    const { file, steps } = series.long
    const numbers = [...steps.map((it) => it.column), ...series.variables.map((it) => it.column)]
    return [{ file, numbers, texts: [], isLong: true }]
  }
  return series.variables.map((it) => ({ file: it.file ?? series.file, numbers: it.columns, texts: [] }))
}

export const seriesSource = async (series: Series, options: SourceOptions): Promise<ModalitySource> => {
  if ('cube' in series) return cubeSource(series, options)
  return 'long' in series ? longSource(series, options) : wideSource(series, options)
}

const templateOf = ({ name, stepMs, periods, variables }: Series, stepsPerPeriod: number) =>
  ({ kind: 'series', name, stepMs, periods, stepsPerPeriod, variables: variables.map((it) => it.name) }) as const

type Values = readonly (number | null)[]

/** A row without any value has nothing of the modality. */
const contentOf = (stepMs: number, variables: readonly (readonly [name: string, values: Values])[]) =>
  variables.every(([, values]) => values.every((value) => value === null))
    ? null
    : ({ kind: 'series', stepMs, variables: Object.fromEntries(variables) } as const)

const wideSource = (series: WideSeries, { table, tables }: SourceOptions): ModalitySource => {
  const steps = series.variables.map((it) => {
    const own = it.file === undefined ? table : tables.of(it.file)
    return [it.name, it.columns.map((column) => own.numbers.get(column)!)] as const
  })
  return {
    template: templateOf(series, series.variables[0]!.columns.length / series.periods),
    contentOf: (row) =>
      contentOf(
        series.stepMs,
        steps.map(([name, columns]) => [name, columns.map((column) => valueOrNull(column.at(row)))] as const),
      ),
  }
}

const longSource = (series: LongSeries, { table, tables }: SourceOptions): ModalitySource => {
  const { stepMs, periods, variables } = series
  const long = tables.long(series.long.file)
  const steps = series.long.steps.reduce((product, it) => product * it.count, 1)
  const rowsOf = rowsByStep(series.long, long)
  const columns = variables.map((it) => [it.name, long.numbers.get(it.column)!] as const)
  return {
    template: templateOf(series, steps / periods),
    contentOf: (row) => {
      const own = rowsOf.get(table.ids[row]!)
      if (own === undefined) return null
      const at = Array.from({ length: steps }, (_, step) => own.get(step) ?? -1)
      return contentOf(
        stepMs,
        columns.map(([name, values]) => [name, at.map((line) => valueOrNull(values.at(line)))] as const),
      )
    },
  }
}

/** For each id the row of the long table that each step has. */
const rowsByStep = (
  { steps, file }: LongSeries['long'],
  long: Table,
): ReadonlyMap<string, ReadonlyMap<number, number>> => {
  const keys = steps.map((it) => ({ ...it, values: long.numbers.get(it.column)! }))
  const rows = new Map<string, Map<number, number>>()
  for (const [i, id] of long.ids.entries()) {
    let step = 0
    for (const { column, first, count, values } of keys) {
      const at = values.at(i)! - first
      if (!(Number.isInteger(at) && at >= 0 && at < count)) {
        const what = `${values.at(i)} is none of the ${count} steps from ${first}`
        throw new DatasetError('bad-table', what, { file, row: long.lines[i]!, column })
      }
      step = step * count + at
    }
    const own = rows.get(id) ?? new Map<number, number>()
    const before = own.get(step)
    if (before !== undefined) {
      const what = `the step of "${id}" stands in row ${long.lines[before]} too`
      throw new DatasetError('duplicate-id', what, { file, row: long.lines[i]!, column: steps.at(-1)!.column })
    }
    rows.set(id, own.set(step, i))
  }
  return rows
}

const cubeSource = async (series: CubeSeries, { folder, table }: SourceOptions): Promise<ModalitySource> => {
  const { stepMs, periods, stepsPerPeriod, variables, axes } = series
  const sizes = { variable: variables.length, period: periods, step: stepsPerPeriod }
  const shape = axes.map((axis) => sizes[axis as keyof typeof sizes])
  const strides = stridesOf(shape)
  const strideOf = (axis: keyof typeof sizes) => strides[axes.indexOf(axis)]!
  const order = {
    shape: [sizes.variable, sizes.period, sizes.step],
    strides: [strideOf('variable'), strideOf('period'), strideOf('step')],
    offset: 0,
  }
  const rows = await openArrayRows(series.cube, { folder, table, shape })
  const steps = periods * stepsPerPeriod
  return {
    template: templateOf(series, stepsPerPeriod),
    contentOf: async (row) => {
      const values = await rows(row)
      if (values === null) return null
      const ordered = Array.from(gather(values, order), valueOrNull)
      return contentOf(
        stepMs,
        variables.map(({ name }, v) => [name, ordered.slice(v * steps, (v + 1) * steps)] as const),
      )
    },
  }
}
