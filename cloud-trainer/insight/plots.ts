/** The figures of an insight: rows with their intervals, curves with their change points, patches of a picture. Pure. */
import { element, figure, line, linearScale, type Scale, text, textWidth } from './svg.ts'

const WIDTH = 760
const ROW = 22
const AXIS = 46
const TOP = 12

export type PlotRow = {
  readonly name: string
  readonly value: number
  readonly low: number
  readonly high: number
  /** What stands behind the row: the value as text. */
  readonly note: string
  /** Filled dots in place of the name, one for each of the plot's parts. */
  readonly shows?: readonly boolean[]
}

type RowPlot = {
  readonly title: string
  readonly rows: readonly PlotRow[]
  /** With its unit. */
  readonly axis: string
  /** Bars start at 0; dots have a scale of their own. */
  readonly mark: 'bar' | 'dot'
  /** Heads of the columns of dots. */
  readonly parts?: readonly string[]
  /** A value to compare with, drawn as a line. */
  readonly reference?: { readonly value: number; readonly name: string }
}

/** One row for each value, with its interval, from top to bottom as given. */
export const rowPlot = ({ title, rows, axis, mark, parts, reference }: RowPlot): string => {
  const head = parts === undefined ? 0 : 12 + Math.max(...parts.map((part) => textWidth(part) * 0.72))
  const gutter =
    parts === undefined
      ? 14 + Math.max(60, ...rows.map(({ name }) => textWidth(name)))
      : Math.max(parts.length * ROW + 14, textWidth(parts[0]!) * 0.72)
  const right = 16 + Math.max(0, ...rows.map(({ note }) => textWidth(note)))
  const slope = parts === undefined ? 0 : textWidth(parts.at(-1)!) * 0.72
  const top = TOP + head + (reference === undefined ? 0 : 16)
  const bottom = top + rows.length * ROW
  const ends = rows.flatMap(({ value, low, high }) => [value, low, high])
  const known = [...ends, ...(mark === 'bar' ? [0] : []), ...(reference === undefined ? [] : [reference.value])]
  const scale = linearScale([Math.min(...known), Math.max(...known)], [gutter, WIDTH - right])
  const middle = (i: number): number => top + (i + 0.5) * ROW
  return figure(WIDTH, bottom + AXIS, title, [
    ...xAxis(scale, { top, bottom, left: gutter, right: WIDTH - right, name: axis }),
    ...(mark === 'bar' ? [line(scale.at(0), top, scale.at(0), bottom, { class: 'zero' })] : []),
    ...(reference === undefined ? [] : referenceLine(scale.at(reference.value), top, bottom, reference.name)),
    ...(parts ?? []).map((part, i) =>
      text(0, 0, part, { transform: `translate(${(i + 0.7) * ROW} ${top - 6}) rotate(${slope > 0 ? -45 : 0})` }),
    ),
    ...rows.flatMap((row, i) => [
      ...(row.shows === undefined
        ? [text(gutter - 8, middle(i) + 4, row.name, { class: 'end' })]
        : row.shows.map((shown, part) =>
            element('circle', { cx: (part + 0.5) * ROW, cy: middle(i), r: 5, class: shown ? 'on' : 'off' }),
          )),
      ...(mark === 'bar' ? [bar(scale, row, middle(i))] : []),
      ...interval(scale, row, middle(i)),
      ...(mark === 'dot' ? [element('circle', { cx: scale.at(row.value), cy: middle(i), r: 4, class: 'dot' })] : []),
      text(WIDTH - right + 10, middle(i) + 4, row.note, { class: 'number' }),
    ]),
  ])
}

const bar = (scale: Scale, { value }: PlotRow, y: number): string =>
  element('rect', {
    x: Math.min(scale.at(0), scale.at(value)),
    y: y - 7,
    width: Math.abs(scale.at(value) - scale.at(0)),
    height: 14,
    class: value < 0 ? 'minus' : 'plus',
  })

const interval = (scale: Scale, { low, high }: PlotRow, y: number): readonly string[] =>
  low === high ? [] : [line(scale.at(low), y, scale.at(high), y, { class: 'interval' })]

const referenceLine = (x: number, top: number, bottom: number, name: string): readonly string[] => [
  line(x, top - 4, x, bottom, { class: 'reference' }),
  text(x, top - 8, name, { class: 'middle' }),
]

type Frame = { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number }

const xAxis = (scale: Scale, { left, right, top, bottom, name }: Frame & { readonly name: string }): string[] => [
  ...scale.ticks.flatMap((tick) => [
    line(scale.at(tick), top, scale.at(tick), bottom, { class: 'grid' }),
    text(scale.at(tick), bottom + 16, tick.toFixed(scale.decimals), { class: 'middle number' }),
  ]),
  text((left + right) / 2, bottom + 36, name, { class: 'middle' }),
]

export type CurvePoint = {
  readonly x: number
  readonly value: number
  readonly low: number
  readonly high: number
  /** Names the change at this point; null when there is none. */
  readonly change: string | null
}

type CurvePlot = {
  readonly title: string
  readonly points: readonly CurvePoint[]
  readonly xAxis: string
  /** With its unit. */
  readonly yAxis: string
}

const CURVE_HEIGHT = 300

/** A curve over whole numbers with its interval as a band; points with a change are filled and named. */
export const curvePlot = ({ title, points, ...axes }: CurvePlot): string => {
  const frame = { left: 64, right: WIDTH - 16, top: 28, bottom: CURVE_HEIGHT }
  const y = linearScale(
    [Math.min(...points.map(({ low }) => low)), Math.max(...points.map(({ high }) => high))],
    [frame.bottom, frame.top],
  )
  const [first, last] = [points[0]!.x, points.at(-1)!.x]
  const span = Math.max(1, last - first)
  const x = (value: number): number => frame.left + 12 + ((value - first) / span) * (frame.right - frame.left - 24)
  const every = Math.ceil(points.length / 20)
  const path = (way: readonly CurvePoint[], of: (point: CurvePoint) => number): string =>
    way.map((point) => `${x(point.x).toFixed(1)} ${y.at(of(point)).toFixed(1)}`).join('L')
  const band = `M${path(points, ({ high }) => high)}L${path([...points].reverse(), ({ low }) => low)}Z`
  return figure(WIDTH, CURVE_HEIGHT + AXIS, title, [
    ...y.ticks.flatMap((tick) => [
      line(frame.left, y.at(tick), frame.right, y.at(tick), { class: 'grid' }),
      text(frame.left - 8, y.at(tick) + 4, tick.toFixed(y.decimals), { class: 'end number' }),
    ]),
    text(0, 0, axes.yAxis, {
      class: 'middle',
      transform: `translate(14 ${(frame.top + frame.bottom) / 2}) rotate(-90)`,
    }),
    ...points
      .filter((_, i) => i % every === 0)
      .map((point) => text(x(point.x), frame.bottom + 16, String(point.x), { class: 'middle number' })),
    text((frame.left + frame.right) / 2, frame.bottom + 36, axes.xAxis, { class: 'middle' }),
    element('path', { d: band, class: 'band' }),
    element('path', { d: `M${path(points, ({ value }) => value)}`, class: 'curve' }),
    ...points.flatMap((point) => [
      ...(point.change === null
        ? []
        : [
            line(x(point.x), frame.top - 8, x(point.x), frame.bottom, { class: 'reference' }),
            text(x(point.x), frame.top - 14, point.change, { class: 'middle' }),
          ]),
      element('circle', {
        cx: x(point.x),
        cy: y.at(point.value),
        r: point.change === null ? 3.5 : 5,
        class: point.change === null ? 'open' : 'dot',
      }),
    ]),
  ])
}

export type Patch = { readonly row: number; readonly column: number; readonly value: number }

const CELL = 44

/** Contributions of the patches of a picture where they lie; the strength of the colour is the size, its sign the hue. */
export const patchPlot = (options: {
  readonly title: string
  readonly patches: readonly Patch[]
  readonly decimals: number
}): string => {
  const { title, patches, decimals } = options
  const strongest = Math.max(...patches.map(({ value }) => Math.abs(value))) || 1
  const size = Math.min(CELL, 704 / (1 + Math.max(...patches.map(({ column }) => column))))
  const [columns, rows] = [
    1 + Math.max(...patches.map(({ column }) => column)),
    1 + Math.max(...patches.map(({ row }) => row)),
  ]
  return figure(
    columns * size + 2,
    rows * size + 2,
    title,
    patches.flatMap(({ row, column, value }) => [
      element('rect', {
        x: 1 + column * size,
        y: 1 + row * size,
        width: size - 2,
        height: size - 2,
        class: value < 0 ? 'minus' : 'plus',
        'fill-opacity': Math.max(0.04, Math.abs(value) / strongest),
      }),
      ...(size < 30
        ? []
        : [
            text(column * size + size / 2, row * size + size / 2 + 4, signed(value, decimals), {
              class: 'middle number halo',
            }),
          ]),
    ]),
  )
}

/** "+0.3", "−0.2", "0.0": with the sign of print. */
export const signed = (value: number, decimals: number): string => {
  const digits = Math.abs(value).toFixed(decimals)
  if (Number(digits) === 0) return digits
  return `${value < 0 ? '−' : '+'}${digits}`
}
