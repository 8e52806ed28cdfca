/** How often values from 0 to 1 occur, as a small picture. */
import { element, label } from './markup.ts'
import { seriesClass } from './style.ts'

const WIDTH = 120
const HEIGHT = 44
/** Below the bars, for the ends of the axis. */
const FOOT = 13

/** Shares (sum 1) of bins of equal width from 0 to 1; the highest bar of several pictures fills `most`. */
export const histogram = (
  shares: readonly number[],
  { series, most, title }: { readonly series: number; readonly most: number; readonly title: string },
): string => {
  const bar = WIDTH / shares.length
  return element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT + FOOT}`, role: 'img', 'aria-label': title }, [
    element('line', { class: 'axis', x1: 0, x2: WIDTH, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }),
    ...shares.map((share, i) => {
      const height = Math.min(1, share / most) * HEIGHT
      return element('rect', {
        class: `fill ${seriesClass(series)}`,
        x: i * bar + 0.4,
        y: HEIGHT - height,
        width: bar - 0.8,
        height,
      })
    }),
    label('0', { x: 0, y: HEIGHT + FOOT - 2, 'text-anchor': 'start' }),
    label('1', { x: WIDTH, y: HEIGHT + FOOT - 2, 'text-anchor': 'end' }),
  ])
}

/** Shares of values from 0 to 1 in so many bins of equal width. */
export const sharesOf = (values: readonly number[], bins: number): readonly number[] => {
  const counts = new Array<number>(bins).fill(0)
  for (const value of values) counts[Math.min(bins - 1, Math.floor(value * bins))]!++
  return counts.map((count) => count / Math.max(1, values.length))
}
