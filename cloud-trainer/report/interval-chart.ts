/** Values with their intervals, one below the other, about zero. */
import { element, escapeText, LETTER, label, pictureTitle } from './markup.ts'
import { linearScale } from './scale.ts'
import { seriesClass } from './style.ts'

export type IntervalRow = {
  readonly name: string
  readonly value: number
  readonly low: number
  readonly high: number
  /** Sums stand in bold. */
  readonly isSum?: boolean
}

const ROW = 16
const MARGIN = { right: 12, top: 26, bottom: 34 }

/** `ends`: of the axis, which several charts share. Names longer than 28 letters are cut; the whole is their tooltip. */
export const intervalChart = (options: {
  readonly title: string
  readonly rows: readonly IntervalRow[]
  readonly ends: readonly [number, number]
  readonly series: number
  readonly xLabel: string
  readonly width?: number
}): string => {
  const { title, rows, ends, series, xLabel, width = 380 } = options
  const names = rows.map(({ name }) => (name.length > 28 ? `${name.slice(0, 27)}…` : name))
  const left = Math.max(...rows.map(({ isSum }, i) => names[i]!.length * LETTER[isSum ? 'sum' : 'small'])) + 10
  const height = MARGIN.top + rows.length * ROW + MARGIN.bottom
  const bottom = height - MARGIN.bottom
  const x = linearScale(ends, [left, width - MARGIN.right])
  const lines = rows.flatMap(({ name, value, low, high, isSum }, i) => {
    const y = MARGIN.top + (i + 0.5) * ROW
    const tip = element('title', {}, escapeText(name))
    return [
      element(
        'text',
        { x: left - 6, y: y + 4, 'text-anchor': 'end', class: isSum ? 'sum' : 'name' },
        escapeText(names[i]!) + tip,
      ),
      element('line', { class: `line ${seriesClass(series)}`, x1: x.at(low), x2: x.at(high), y1: y, y2: y }),
      element('circle', { class: `fill ${seriesClass(series)}`, cx: x.at(value), cy: y, r: isSum ? 4 : 3 }),
    ]
  })
  return element('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': title }, [
    pictureTitle(title, { x: 4, y: 14, room: width - 4 }),
    ...x.ticks.map((tick) =>
      element('line', { class: 'axis', x1: x.at(tick), x2: x.at(tick), y1: MARGIN.top, y2: bottom }),
    ),
    ...x.ticks.map((tick) => label(x.label(tick), { x: x.at(tick), y: bottom + 14, 'text-anchor': 'middle' })),
    element('line', { class: 'zero', x1: x.at(0), x2: x.at(0), y1: MARGIN.top, y2: bottom }),
    label(xLabel, { x: width - MARGIN.right, y: height - 5, 'text-anchor': 'end' }),
    ...lines,
  ])
}
