/**
 * Figures as inline SVG, whose colours are the page's variables: legible on light and dark ground. Pure.
 * Sizes are in CSS pixels.
 */

export const escapeText = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

export type Attributes = Readonly<Record<string, string | number>>

export const element = (name: string, attributes: Attributes, ...content: readonly string[]): string => {
  const written = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? round(value) : escapeText(value)}"`)
    .join('')
  return content.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${content.join('')}</${name}>`
}

/** Hundredths of a pixel are enough. */
const round = (value: number): number => Math.round(value * 100) / 100

export const text = (x: number, y: number, content: string, attributes: Attributes = {}): string =>
  element('text', { x, y, ...attributes }, escapeText(content))

export const line = (x1: number, y1: number, x2: number, y2: number, attributes: Attributes): string =>
  element('line', { x1, y1, x2, y2, ...attributes })

/** `title`: what is read out instead of the picture. */
export const figure = (width: number, height: number, title: string, parts: readonly string[]): string =>
  element(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' },
    element('title', {}, escapeText(title)),
    ...parts,
  )

/** Width of a text in the page's 12 px sans serif; a little generous. */
export const textWidth = (content: string): number => 6.8 * [...content].length

export type Scale = {
  readonly at: (value: number) => number
  readonly ticks: readonly number[]
  /** Decimals that tell ticks apart. */
  readonly decimals: number
}

/** From values to pixels, widened to whole ticks of 1, 2 or 5 times a power of ten. Equal ends are widened by 1 either way. */
export const linearScale = (
  [low, high]: readonly [number, number],
  [from, to]: readonly [number, number],
  wanted = 6,
): Scale => {
  const [a, b] = low < high ? [low, high] : [low - 1, high + 1]
  const rough = (b - a) / wanted
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10)
  const [first, last] = [Math.floor(a / step + 1e-9), Math.ceil(b / step - 1e-9)]
  const at = (value: number): number => from + ((value / step - first) / (last - first)) * (to - from)
  return {
    at,
    ticks: Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step),
    decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)),
  }
}
