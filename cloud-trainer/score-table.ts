/** Scores of subsets for people. */
import type { Task } from '#shared/domain/task.ts'
import type { SubsetScore } from './evaluation/evaluate.ts'

type Row = Pick<SubsetScore, 'subset' | 'value' | 'low' | 'high'>

export const METRICS: Readonly<Record<Task, string>> = { 'multi-label': 'AUC', 'single-label': 'Top-1' }

/** Scores in points (0 to 100), with the plain mean at the end. */
export const scoreTable = (scores: readonly Row[], average: number, task: Task = 'multi-label'): string => {
  const points = (value: number): string => (100 * value).toFixed(1)
  const rows = [
    ['subset', METRICS[task], '95 % interval'],
    ...scores.map(({ subset, value, low, high }) => [subset, points(value), `${points(low)} – ${points(high)}`]),
    ['average', points(average), ''],
  ]
  const width = Math.max(...rows.map(([name]) => name!.length))
  return rows
    .map(([name, value, interval]) => `${name!.padEnd(width)}  ${value!.padStart(5)}  ${interval}`.trimEnd())
    .join('\n')
}
