/** HTML and SVG as text. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const escapeText = (text: string): string => text.replace(/[&<>"']/g, (sign) => ENTITIES[sign]!)

/** `<name a="1">content</name>`; attribute values are escaped, the content is markup already. */
export const element = (
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content: string | readonly string[] = '',
): string => {
  const written = Object.entries(attributes).map(
    ([key, value]) => ` ${key}="${escapeText(typeof value === 'number' ? `${round(value)}` : value)}"`,
  )
  return `<${name}${written.join('')}>${typeof content === 'string' ? content : content.join('')}</${name}>`
}

/** Two decimals are a hundredth of a pixel. */
const round = (value: number): number => Math.round(100 * value) / 100

/** A line of text in a picture. */
export const label = (
  text: string,
  attributes: { readonly x: number; readonly y: number; readonly 'text-anchor'?: string; readonly class?: string },
): string => element('text', attributes, escapeText(text))

/** Pixels of a letter on average: of the small type, of sums in bold, and of titles. */
export const LETTER = { small: 6.1, sum: 7.4, title: 8.3 } as const

/** The title of a picture; one that is longer than `room` pixels is cut, and is then its own tooltip. */
export const pictureTitle = (
  text: string,
  at: { readonly x: number; readonly y: number; readonly room: number },
): string => {
  const { x, y, room } = at
  const most = Math.max(1, Math.floor(room / LETTER.title))
  const attributes = { x, y, class: 'title' }
  if (text.length <= most) return label(text, attributes)
  return element(
    'text',
    attributes,
    `${escapeText(`${text.slice(0, most - 1)}…`)}${element('title', {}, escapeText(text))}`,
  )
}
