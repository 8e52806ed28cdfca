/** Pictures as files of their own. */
import { element, label } from './markup.ts'
import { PICTURE_STYLE, seriesClass, THEME } from './style.ts'

const ROW = 16

/** Names below the picture, beside the colours of their series. Takes what `element('svg', …)` has made. */
export const withLegend = (svg: string, names: readonly string[]): string => {
  const [opening, width, height] = /^<svg viewBox="0 0 (\d+) (\d+)"/.exec(svg)!
  const bottom = Number(height)
  const entries = names.map((name, i) => {
    const y = bottom + (i + 0.5) * ROW
    return (
      element('line', { class: `line ${seriesClass(i)}`, x1: 40, x2: 58, y1: y, y2: y }) +
      label(name, { x: 64, y: y + 4 })
    )
  })
  return svg
    .replace(opening, `<svg viewBox="0 0 ${width} ${bottom + names.length * ROW + 6}"`)
    .replace(/<\/svg>$/, `${entries.join('')}</svg>`)
}

/** With the colours that it has on a page, on their ground. */
export const standalone = (svg: string): string =>
  svg.replace(
    /^<svg([^>]*)>/,
    `<svg xmlns="http://www.w3.org/2000/svg"$1><style>${THEME}\n${PICTURE_STYLE}</style>` +
      '<rect width="100%" height="100%" fill="var(--ground)"/>',
  )
