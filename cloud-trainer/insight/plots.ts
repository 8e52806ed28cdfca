/** The figures of an insight: rows with their intervals, curves with their change points, patches of a picture. Pure. */
import { element, escapeText } from '../report/markup.ts'
import { linearScale, type Scale } from '../report/scale.ts'
import { seriesClass } from '../report/style.ts'

/** Pixels. */
const WIDTH = 720
const ROW = 20
const AXIS = 40
const TOP = 10
const LETTER = 6.3

const PLUS = `fill ${seriesClass(0)}`
const MINUS = `fill ${seriesClass(1)}`
const INK = 'stroke:var(--ink);fill:none'
const DASHED = 'stroke:var(--soft);stroke-dasharray:4 3'

const widthOf = (words: string): number => LETTER * [...words].length

type Anchor = 'start' | 'middle' | 'end'

const words = (content: string, x: number, y: number, anchor: Anchor = 'start', isInk = false): string =>
  element('text', { x, y, 'text-anchor': anchor, ...(isInk ? { style: 'fill:var(--ink)' } : {}) }, escapeText(content))

const turned = (content: string, x: number, y: number, degrees: number, anchor: Anchor): string =>
  element(
    'text',
    { transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${degrees})`, 'text-anchor': anchor },
    escapeText(content),
  )

const line = (x1: number, y1: number, x2: number, y2: number, attributes: Readonly<Record<string, string>>): string =>
  element('line', { x1, y1, x2, y2, ...attributes })

/** `title`: what is read out instead of the picture. */
const picture = (width: number, height: number, title: string, parts: readonly string[]): string =>
  element(
    'svg',
    {
      viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`,
      role: 'img',
      'aria-label': title,
      style: `max-width:${Math.ceil(width)}px`,
    },
    parts,
  )

/** With a little air at the ends that are not zero. */
const airy = (values: readonly number[]): readonly [number, number] => {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const air = low < high ? 0.03 * (high - low) : 0.5
  return [low === 0 ? 0 : low - air, high === 0 ? 0 : high + air]
}

export type PlotRow = {
  readonly name: string
  readonly value: number
  readonly low: number
  readonly high: number
  /** What stands behind the row: the value as text. */
  readonly note: string
  /** In place of the name: filled where the row has that part of the plot. */
  readonly shows?: readonly boolean[]
}

type RowPlot = {
  readonly title: string
  /** At least one. */
  readonly rows: readonly PlotRow[]
  /** Of the axis, with its unit. */
  readonly axis: string
  /** Bars start at 0; dots have a scale of their own. */
  readonly mark: 'bar' | 'dot'
  /** Heads of the columns of `shows` (an UpSet matrix: Lex et al. 2014). */
  readonly parts?: readonly string[]
  /** A value to compare with. */
  readonly reference?: { readonly value: number; readonly name: string }
}

/** One row for each value, with its interval, from top to bottom as given. */
export const rowPlot = ({ title, rows, axis, mark, parts = [], reference }: RowPlot): string => {
  const longest = Math.max(0, ...parts.map(widthOf))
  const left =
    parts.length === 0
      ? 12 + Math.max(...rows.map(({ name }) => widthOf(name)))
      : parts.length * ROW + Math.max(12, longest * 0.75)
  const right = WIDTH - 12 - Math.max(...rows.map(({ note }) => widthOf(note)))
  const top = TOP + (parts.length === 0 ? 0 : 8 + longest * 0.75) + (reference === undefined ? 0 : 14)
  const bottom = top + rows.length * ROW
  const scale = linearScale(
    airy([
      ...rows.flatMap(({ value, low, high }) => [value, low, high]),
      ...(mark === 'bar' ? [0] : []),
      ...(reference === undefined ? [] : [reference.value]),
    ]),
    [left, right],
    6,
  )
  const middle = (i: number): number => top + (i + 0.5) * ROW
  return picture(WIDTH, bottom + AXIS, title, [
    ...scale.ticks.flatMap((tick) => [
      line(scale.at(tick), top, scale.at(tick), bottom, { class: 'axis' }),
      words(scale.label(tick), scale.at(tick), bottom + 14, 'middle'),
    ]),
    words(axis, (left + right) / 2, bottom + 32, 'middle'),
    ...(mark === 'bar' ? [line(scale.at(0), top, scale.at(0), bottom, { style: INK })] : []),
    ...(reference === undefined
      ? []
      : [
          line(scale.at(reference.value), top - 2, scale.at(reference.value), bottom, { style: DASHED }),
          words(reference.name, scale.at(reference.value), top - 6, 'middle'),
        ]),
    ...parts.map((part, i) => turned(part, (i + 0.7) * ROW, top - 6, -45, 'start')),
    ...rows.flatMap((row, i) => [
      ...(row.shows === undefined
        ? [words(row.name, left - 8, middle(i) + 4, 'end', true)]
        : row.shows.map((shown, part) => partDot((part + 0.5) * ROW, middle(i), shown))),
      ...(mark === 'bar' ? [bar(scale, row, middle(i))] : []),
      ...interval(scale, row, middle(i), mark),
      ...(mark === 'dot' ? [element('circle', { cx: scale.at(row.value), cy: middle(i), r: 4, class: PLUS })] : []),
      words(row.note, WIDTH, middle(i) + 4, 'end', true),
    ]),
  ])
}

const partDot = (cx: number, cy: number, shown: boolean): string =>
  element('circle', { cx, cy, r: 5, ...(shown ? { class: PLUS } : { style: 'fill:none;stroke:var(--line)' }) })

const bar = (scale: Scale, { value }: PlotRow, y: number): string =>
  element('rect', {
    x: Math.min(scale.at(0), scale.at(value)),
    y: y - 6,
    width: Math.abs(scale.at(value) - scale.at(0)),
    height: 12,
    class: value < 0 ? MINUS : PLUS,
    style: 'fill-opacity:.75',
  })

const interval = (scale: Scale, { low, high }: PlotRow, y: number, mark: RowPlot['mark']): readonly string[] =>
  low === high
    ? []
    : [
        line(
          scale.at(low),
          y,
          scale.at(high),
          y,
          mark === 'bar' ? { style: `${INK};stroke-width:1.6` } : { class: `line ${seriesClass(0)}` },
        ),
      ]

type CurvePoint = {
  /** Whole. */
  readonly x: number
  readonly value: number
  readonly low: number
  readonly high: number
  /** Names the change at this point; null when there is none. */
  readonly change: string | null
}

type CurvePlot = {
  readonly title: string
  /** At least one, by rising x. */
  readonly points: readonly CurvePoint[]
  readonly xAxis: string
  /** With its unit. */
  readonly yAxis: string
}

const FRAME = { left: 58, right: WIDTH - 10, top: 40, bottom: 310 }
const MOST_X_LABELS = 20

/** A curve over whole numbers with its interval as a band; points with a change are filled and named. */
export const curvePlot = ({ title, points, xAxis, yAxis }: CurvePlot): string => {
  const { left, right, top, bottom } = FRAME
  const y = linearScale(airy(points.flatMap(({ low, high }) => [low, high])), [bottom, top], 8)
  const [first, last] = [points[0]!.x, points.at(-1)!.x]
  const x = (value: number): number => left + 14 + ((value - first) / Math.max(1, last - first)) * (right - left - 28)
  const every = Math.ceil(points.length / MOST_X_LABELS)
  const path = (way: readonly CurvePoint[], of: (point: CurvePoint) => number): string =>
    way.map((point) => `${x(point.x).toFixed(1)} ${y.at(of(point)).toFixed(1)}`).join('L')
  const band = `M${path(points, ({ high }) => high)}L${path([...points].reverse(), ({ low }) => low)}Z`
  return picture(WIDTH, bottom + AXIS, title, [
    ...y.ticks.flatMap((tick) => [
      line(left, y.at(tick), right, y.at(tick), { class: 'axis' }),
      words(y.label(tick), left - 8, y.at(tick) + 4, 'end'),
    ]),
    turned(yAxis, 12, (top + bottom) / 2, -90, 'middle'),
    ...points
      .filter((_, i) => i % every === 0)
      .map((point) => words(String(point.x), x(point.x), bottom + 14, 'middle')),
    words(xAxis, (left + right) / 2, bottom + 32, 'middle'),
    element('path', { d: band, class: `band ${seriesClass(0)}` }),
    ...points
      .filter(({ change }) => change !== null)
      .flatMap((point, i) => {
        const raised = i % 2 === 0 ? 0 : 14 // so that the names of neighbours don't meet
        return [
          line(x(point.x), top - 6 - raised, x(point.x), bottom, { style: DASHED }),
          words(point.change!, x(point.x), top - 10 - raised, 'middle', true),
        ]
      }),
    element('path', { d: `M${path(points, ({ value }) => value)}`, class: `line ${seriesClass(0)}` }),
    ...points.map((point) => {
      const at = { cx: x(point.x), cy: y.at(point.value) }
      return point.change === null
        ? element('circle', { ...at, r: 3, class: `line ${seriesClass(0)}`, style: 'fill:var(--ground)' })
        : element('circle', { ...at, r: 5, class: PLUS })
    }),
  ])
}

export type Patch = { readonly row: number; readonly column: number; readonly value: number }

const LARGEST_PATCH = 44
const SMALLEST_WRITTEN = 34

/** Contributions of the patches of a picture where they lie; the strength of the colour is the size, its hue the sign. */
export const patchPlot = (options: {
  readonly title: string
  /** At least one. */
  readonly patches: readonly Patch[]
  /** The size that gets full colour; several pictures share it. */
  readonly strongest: number
  readonly decimals: number
}): string => {
  const { title, patches, strongest, decimals } = options
  const columns = 1 + Math.max(...patches.map(({ column }) => column))
  const rows = 1 + Math.max(...patches.map(({ row }) => row))
  const size = Math.min(LARGEST_PATCH, WIDTH / columns)
  return picture(
    columns * size,
    rows * size,
    title,
    patches.flatMap(({ row, column, value }) => [
      element('rect', {
        x: column * size + 1,
        y: row * size + 1,
        width: size - 2,
        height: size - 2,
        class: value < 0 ? MINUS : PLUS,
        style: `fill-opacity:${Math.max(0.04, (0.75 * Math.abs(value)) / (strongest || 1)).toFixed(2)}`,
      }),
      ...(size < SMALLEST_WRITTEN
        ? []
        : [words(signed(value, decimals), (column + 0.5) * size, (row + 0.5) * size + 4, 'middle', true)]),
    ]),
  )
}

/** "+0.3", "−0.2", "0.0": with the sign of print. */
export const signed = (value: number, decimals: number): string => {
  const digits = Math.abs(value).toFixed(decimals)
  if (Number(digits) === 0) return digits
  return `${value < 0 ? '−' : '+'}${digits}`
}
