/**
 * The animals' shapes, facing right, as drawings in a box of 100 × 80 with the feet at y = 78.
 * `c` is the body's colour, `d` a darker one. They are rasterized once and then scaled into pictures.
 */
import sharp from 'sharp'
import { type Shape, SPECIES } from './species.ts'

export const SPRITE_WIDTH = 100
export const SPRITE_HEIGHT = 80

/** RGBA, row-major, SPRITE_WIDTH × SPRITE_HEIGHT. */
export type Sprite = Uint8Array

const eye = (x: number, y: number, r = 1.6): string => `<circle cx="${x}" cy="${y}" r="${r}" fill="#111"/>`

const DRAWINGS: Readonly<Record<Shape, (c: string, d: string) => string>> = {
  owl: (c, d) =>
    `<path d="M30 20 L36 6 L46 14 L54 14 L64 6 L70 20 Q76 48 64 72 L36 72 Q24 48 30 20Z" fill="${c}"/>
     <path d="M32 34 Q24 52 36 70 L40 48Z M68 34 Q76 52 64 70 L60 48Z" fill="${d}"/>
     <circle cx="41" cy="27" r="8" fill="#f0dc9a"/><circle cx="59" cy="27" r="8" fill="#f0dc9a"/>${eye(41, 27, 3.5)}${eye(59, 27, 3.5)}
     <path d="M48 32 L52 32 L50 39Z" fill="#333"/><rect x="40" y="71" width="6" height="7" fill="${d}"/><rect x="54" y="71" width="6" height="7" fill="${d}"/>`,
  bunting: (c, d) =>
    `<ellipse cx="46" cy="48" rx="24" ry="17" fill="${c}"/><circle cx="68" cy="34" r="12" fill="${d}"/>
     <path d="M79 32 L91 36 L79 39Z" fill="#555"/><path d="M26 44 L2 22 L8 18 L34 36Z" fill="${d}"/>${eye(71, 32, 2)}
     <path d="M44 63 L42 78 M52 63 L53 78" stroke="#444" stroke-width="3"/>`,
  frog: (c, d) =>
    `<ellipse cx="48" cy="60" rx="34" ry="17" fill="${c}"/><path d="M16 62 Q2 74 22 78 L40 78 Q22 70 30 58Z" fill="${d}"/>
     <circle cx="72" cy="44" r="9" fill="${c}"/><circle cx="74" cy="43" r="5" fill="#efe9b0"/>${eye(75, 43, 2.6)}
     <path d="M66 70 L74 78 L60 78Z" fill="${d}"/>`,
  woodpecker: (c, d) =>
    `<rect x="70" y="0" width="16" height="80" fill="#6b5540"/><path d="M42 22 Q36 48 50 72 L62 78 L66 56 Q68 34 58 20Z" fill="${c}"/>
     <circle cx="54" cy="16" r="10" fill="${d}"/><path d="M44 10 Q52 0 62 8Z" fill="#c9262b"/><path d="M62 14 L76 12 L62 19Z" fill="#222"/>${eye(57, 15)}
     <path d="M46 36 L60 34 M47 46 L62 44 M50 56 L63 54" stroke="#ddd" stroke-width="3"/>`,
  marmot: (c, d) =>
    `<path d="M36 78 Q28 48 40 30 Q42 12 56 12 Q70 14 70 26 Q66 34 64 40 Q74 60 66 78Z" fill="${c}"/>
     <path d="M36 76 Q16 80 14 66 Q22 72 36 66Z" fill="${d}"/><circle cx="46" cy="14" r="4" fill="${d}"/>
     <path d="M60 44 L72 48 L70 54 L58 54Z" fill="${d}"/><circle cx="70" cy="24" r="3" fill="#222"/>${eye(59, 20, 2)}`,
  fox: (c, d) =>
    `<path d="M24 40 Q46 30 66 38 L68 56 Q44 62 26 56Z" fill="${c}"/>
     <path d="M28 46 Q2 34 0 58 Q14 66 32 54Z" fill="${c}"/><path d="M0 58 Q2 48 8 46 L10 60Z" fill="#f5efe6"/>
     <path d="M62 34 L66 14 L74 26 L80 14 L84 28 L98 38 L84 46 L66 48Z" fill="${c}"/><path d="M86 40 L98 38 L84 46Z" fill="#f5efe6"/>${eye(82, 33, 2)}
     <path d="M30 54 L27 78 L33 78 L38 56Z M40 56 L40 78 L46 78 L48 57Z M56 56 L56 78 L62 78 L64 54Z M64 54 L68 78 L74 78 L68 50Z" fill="${d}"/>`,
  deer: (c, d) =>
    `<ellipse cx="42" cy="42" rx="26" ry="12" fill="${c}"/><path d="M58 40 L70 16 L80 20 L70 46Z" fill="${c}"/>
     <path d="M68 20 L74 10 L84 12 L94 20 L90 25 L76 25Z" fill="${c}"/>${eye(82, 16, 1.8)}
     <path d="M73 12 Q66 4 60 0 M70 7 L74 0 M78 12 Q82 4 90 1 M83 6 L82 0" stroke="${d}" stroke-width="2.5" fill="none"/>
     <path d="M22 46 L20 78 M30 50 L31 78 M54 50 L53 78 M62 46 L64 78" stroke="${d}" stroke-width="5"/><circle cx="17" cy="38" r="5" fill="#f5efe6"/>`,
  hare: (c, d) =>
    `<path d="M14 78 Q6 44 38 40 Q60 40 66 60 L74 78Z" fill="${c}"/><circle cx="70" cy="42" r="13" fill="${c}"/>
     <path d="M62 34 Q48 6 56 0 Q66 8 70 32Z M70 32 Q68 4 78 0 Q82 12 76 34Z" fill="${d}"/>
     <circle cx="12" cy="66" r="7" fill="#fff"/>${eye(75, 40, 2.2)}<path d="M56 78 L84 78 L76 70 L58 70Z" fill="${d}"/>`,
}

const darker = (color: string): string =>
  `#${[1, 3, 5]
    .map((i) => Math.round(Number.parseInt(color.slice(i, i + 2), 16) * 0.65))
    .map((value) => value.toString(16).padStart(2, '0'))
    .join('')}`

/** One sprite for each species that a camera can see, by its id. */
export const drawSprites = async (): Promise<ReadonlyMap<string, Sprite>> => {
  const entries = SPECIES.map(async ({ id, body }) => {
    const inner = DRAWINGS[body.shape](body.color, darker(body.color))
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SPRITE_WIDTH}" height="${SPRITE_HEIGHT}">${inner}</svg>`
    return [id, new Uint8Array(await sharp(Buffer.from(svg)).ensureAlpha().raw().toBuffer())] as const
  })
  return new Map(await Promise.all(entries))
}
