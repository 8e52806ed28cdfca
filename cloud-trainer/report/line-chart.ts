/** Lines over a common axis. */
import { element, escapeText, label, pictureTitle } from './markup.ts'
import { extent, linearScale, logScale } from './scale.ts'
import { seriesClass } from './style.ts'

export type Line = {
  readonly name: string
  /** Of its colour. */
  readonly series: number
  /** By rising x. Points that are no numbers are left out. */
  readonly points: readonly (readonly [x: number, y: number])[]
  /** Lowest and highest y at each point. */
  readonly band?: readonly (readonly [low: number, high: number])[]
  /** Share of the observations at each point, 0 to 1: the area of its dot. Without dots when absent. */
  readonly weights?: readonly number[]
}

export type LineChartOptions = {
  readonly title: string
  readonly lines: readonly Line[]
  readonly xLabel: string
  /** With its unit. */
  readonly yLabel?: string
  readonly isLogY?: boolean
  /** Ends of the axes; those of the lines when absent. */
  readonly x?: readonly [number, number]
  readonly y?: readonly [number, number]
  /** A thin line at this height. */
  readonly level?: number
  /** A thin line where y = x. */
  readonly hasDiagonal?: boolean
  readonly width?: number
  readonly height?: number
}

const MARGIN = { left: 40, right: 10, top: 24, bottom: 34 }
/** More on the left for what the axis is called. */
const Y_LABEL = 15
/** Radii of the dots of nothing and of everything, pixels. */
const DOT = { least: 1.5, most: 7 }

export const lineChart = (options: LineChartOptions): string => {
  const { title, lines, xLabel, isLogY = false, width = 300, height = 200 } = options
  const points = lines.flatMap((line) => line.points)
  const xEnds = options.x ?? extent(points.map(([x]) => x))
  const yEnds =
    options.y ?? extent(lines.flatMap((line) => [...line.points.map(([, y]) => y), ...(line.band?.flat() ?? [])]))
  const left = MARGIN.left + (options.yLabel === undefined ? 0 : Y_LABEL)
  const right = width - MARGIN.right
  const bottom = height - MARGIN.bottom
  const x = linearScale(xEnds, [left, right])
  const y = (isLogY ? logScale : linearScale)(yEnds, [bottom, MARGIN.top])
  const path = (at: readonly (readonly [number, number])[]): string =>
    at
      .filter((point) => point.every(Number.isFinite))
      .map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${x.at(px).toFixed(1)} ${y.at(py).toFixed(1)}`)
      .join('')
  const drawn = lines.flatMap(({ name, series, points: own, band, weights }) => [
    ...(band === undefined
      ? []
      : [
          element('path', {
            class: `band ${seriesClass(series)}`,
            d: `${path([
              ...own.map(([px], i) => [px, band[i]![0]] as const),
              ...own.map(([px], i) => [px, band[i]![1]] as const).reverse(),
            ])}Z`,
          }),
        ]),
    element('path', { class: `line ${seriesClass(series)}`, d: path(own) }, element('title', {}, name)),
    ...(weights ?? []).map((weight, i) =>
      element('circle', {
        class: `fill ${seriesClass(series)}`,
        cx: x.at(own[i]![0]),
        cy: y.at(own[i]![1]),
        r: DOT.least + (DOT.most - DOT.least) * Math.sqrt(weight),
      }),
    ),
  ])
  const level = options.level
  return element('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': title }, [
    pictureTitle(title, { x: left, y: 14, room: width - left }),
    ...y.ticks.map((tick) => element('line', { class: 'axis', x1: left, x2: right, y1: y.at(tick), y2: y.at(tick) })),
    ...y.ticks.map((tick) => label(y.label(tick), { x: left - 5, y: y.at(tick) + 4, 'text-anchor': 'end' })),
    ...x.ticks.map((tick) => label(x.label(tick), { x: x.at(tick), y: bottom + 14, 'text-anchor': 'middle' })),
    label(xLabel, { x: right, y: height - 5, 'text-anchor': 'end' }),
    ...(options.yLabel === undefined ? [] : [upright(options.yLabel, (MARGIN.top + bottom) / 2)]),
    ...(level === undefined || level < yEnds[0] || level > yEnds[1]
      ? []
      : [element('line', { class: 'zero', x1: left, x2: right, y1: y.at(level), y2: y.at(level) })]),
    ...(options.hasDiagonal
      ? [
          element('line', {
            class: 'zero',
            x1: x.at(xEnds[0]),
            x2: x.at(xEnds[1]),
            y1: y.at(xEnds[0]),
            y2: y.at(xEnds[1]),
          }),
        ]
      : []),
    ...drawn,
  ])
}

const upright = (text: string, y: number): string =>
  element('text', { transform: `translate(11 ${y}) rotate(-90)`, 'text-anchor': 'middle' }, escapeText(text))
