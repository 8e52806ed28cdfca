/**
 * What the camera trap sees, as a file: 96 × 72 JPEG, colour by day and infrared grey by night. The
 * background is drawn anew for each picture and says nothing about the place; whoever the truth lists as
 * seen stands in it, at its own size, and nobody else.
 */
import sharp from 'sharp'
import { type Random, randomStream } from '#shared/std/random.ts'
import { SPRITE_HEIGHT, SPRITE_WIDTH, type Sprite } from './silhouettes.ts'
import { SPECIES } from './species.ts'

export const PICTURE_WIDTH = 96
export const PICTURE_HEIGHT = 72

/** RGB, row-major, values 0 to 255. */
export type Pixels = Float32Array

/** Smooth noise: a lattice of uniforms, interpolated; about −1 to 1. */
const valueNoise = (random: Random, cellPixels: number): ((x: number, y: number) => number) => {
  const columns = Math.ceil(PICTURE_WIDTH / cellPixels) + 2
  const lattice = Float32Array.from(
    { length: columns * (Math.ceil(PICTURE_HEIGHT / cellPixels) + 2) },
    () => 2 * random.uniform() - 1,
  )
  return (x, y) => {
    const column = Math.floor(x / cellPixels)
    const row = Math.floor(y / cellPixels)
    const right = x / cellPixels - column
    const down = y / cellPixels - row
    const first = row * columns + column
    const top = lattice[first]! * (1 - right) + lattice[first + 1]! * right
    const bottom = lattice[first + columns]! * (1 - right) + lattice[first + columns + 1]! * right
    return top * (1 - down) + bottom * down
  }
}

const paintBackground = (pixels: Pixels, random: Random): void => {
  const patches = valueNoise(random, 18)
  const leaves = valueNoise(random, 4)
  const horizon = 16 + 14 * random.uniform()
  const green = 70 + 40 * random.uniform()
  const dry = 40 * random.uniform()
  for (let y = 0; y < PICTURE_HEIGHT; y++) {
    for (let x = 0; x < PICTURE_WIDTH; x++) {
      const texture = 22 * patches(x, y) + 20 * leaves(x, y)
      const isSky = y < horizon + 5 * patches(x, 0)
      const at = 3 * (y * PICTURE_WIDTH + x)
      pixels[at] = (isSky ? 120 : 62 + dry) + texture
      pixels[at + 1] = (isSky ? 138 : green + 0.5 * dry) + texture
      pixels[at + 2] = (isSky ? 138 : 48) + texture
    }
  }
}

const paintSprite = (pixels: Pixels, sprite: Sprite, heightPixels: number, random: Random): void => {
  const scale = (heightPixels * (0.8 + 0.5 * random.uniform())) / SPRITE_HEIGHT
  const width = SPRITE_WIDTH * scale
  const height = SPRITE_HEIGHT * scale
  const left = Math.round((PICTURE_WIDTH - width) * (0.02 + 0.96 * random.uniform()))
  const bottom = PICTURE_HEIGHT - 3 - Math.round(14 * random.uniform())
  const isFlipped = random.uniform() < 0.5
  for (let y = Math.max(0, Math.ceil(bottom - height)); y < bottom; y++) {
    for (let x = Math.max(0, left); x < Math.min(PICTURE_WIDTH, left + width); x++) {
      const across = Math.floor((x - left) / scale)
      const column = Math.min(SPRITE_WIDTH - 1, isFlipped ? SPRITE_WIDTH - 1 - across : across)
      const row = Math.min(SPRITE_HEIGHT - 1, Math.max(0, Math.floor((y - bottom + height) / scale)))
      const from = 4 * (row * SPRITE_WIDTH + column)
      const opacity = sprite[from + 3]! / 255
      const to = 3 * (y * PICTURE_WIDTH + x)
      for (let band = 0; band < 3; band++) {
        pixels[to + band] = (1 - opacity) * pixels[to + band]! + opacity * sprite[from + band]!
      }
    }
  }
}

/** Light of a day picture, or the flash of a night one: grey, bright in the middle, noisy. */
const expose = (pixels: Pixels, night: boolean, random: Random): void => {
  const light = 0.85 + 0.3 * random.uniform()
  for (let y = 0; y < PICTURE_HEIGHT; y++) {
    for (let x = 0; x < PICTURE_WIDTH; x++) {
      const at = 3 * (y * PICTURE_WIDTH + x)
      const noise = (night ? 26 : 10) * (random.uniform() - 0.5)
      const off = ((x - 48) / 48) ** 2 + ((y - 40) / 40) ** 2
      const grey = 0.4 * pixels[at]! + 0.4 * pixels[at + 1]! + 0.2 * pixels[at + 2]!
      const flash = 1.1 * Math.exp(-0.9 * off)
      for (let band = 0; band < 3; band++) {
        pixels[at + band] = (night ? grey * flash : pixels[at + band]!) * light + noise
      }
    }
  }
}

export const takePicture = (
  seed: number,
  scene: { readonly seen: readonly string[]; readonly night: boolean },
  sprites: ReadonlyMap<string, Sprite>,
): Pixels => {
  const random = randomStream(seed, 'picture')
  const pixels = new Float32Array(3 * PICTURE_WIDTH * PICTURE_HEIGHT)
  paintBackground(pixels, random)
  for (const { id, body } of SPECIES) {
    const sprite = sprites.get(id)
    if (sprite && scene.seen.includes(id)) paintSprite(pixels, sprite, body.heightPixels, random)
  }
  expose(pixels, scene.night, random)
  return pixels
}

const raw = { width: PICTURE_WIDTH, height: PICTURE_HEIGHT, channels: 3 as const }

export const encodeJpeg = (pixels: Pixels): Promise<Uint8Array> =>
  sharp(Uint8ClampedArray.from(pixels), { raw }).jpeg({ quality: 85 }).toBuffer()
