import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { decodePicture, type PictureSize, type PictureType } from './picture.ts'

const SIZE: PictureSize = { width: 8, height: 6, channels: 3 }

/** Left half red, right half blue; 32 × 24. */
const redAndBlue = () =>
  sharp(Buffer.from(Array.from({ length: 32 * 24 }, (_, i) => (i % 32 < 16 ? [220, 20, 20] : [20, 20, 220])).flat()), {
    raw: { width: 32, height: 24, channels: 3 },
  })

const decoded = async (file: Uint8Array, type: PictureType = 'image/jpeg', size = SIZE) => {
  const result = await decodePicture(file, type, size)
  if (!result.ok) throw new Error(result.error)
  const { pixels, ...form } = result.value
  const at = (x: number, y: number) => [
    ...pixels.subarray((y * size.width + x) * size.channels).subarray(0, size.channels),
  ]
  return { form, at, count: pixels.length }
}
const refusal = async (file: Uint8Array, type: PictureType = 'image/jpeg') => {
  const result = await decodePicture(file, type, SIZE)
  return result.ok ? 'a picture' : result.error
}

const expectNear = (actual: readonly number[], expected: readonly number[]) => {
  expect(actual).toHaveLength(expected.length)
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThan(12)
  })
}

test('a JPEG and a PNG become pixels of the wanted size, row by row', async () => {
  for (const [type, file] of [
    ['image/jpeg', await redAndBlue().jpeg({ quality: 95 }).toBuffer()],
    ['image/png', await redAndBlue().png().toBuffer()],
  ] as const) {
    const { form, at, count } = await decoded(file, type)
    expect(form).toEqual({ kind: 'image', width: 8, height: 6, channels: 3 })
    expect(count).toBe(8 * 6 * 3)
    for (const y of [0, 5]) {
      expectNear(at(0, y), [220, 20, 20])
      expectNear(at(7, y), [20, 20, 220])
    }
  }
})

test('EXIF orientation turns the picture upright', async () => {
  const turned = async (orientation: number) =>
    decoded(await redAndBlue().withMetadata({ orientation }).jpeg({ quality: 95 }).toBuffer())
  const upsideDown = await turned(3)
  expectNear(upsideDown.at(0, 3), [20, 20, 220])
  // Turned by 90° clockwise, left becomes top.
  const clockwise = await turned(6)
  expectNear(clockwise.at(3, 0), [220, 20, 20])
  expectNear(clockwise.at(3, 5), [20, 20, 220])
})

test('grey, CMYK, transparent and 16-bit files get the wanted channels', async () => {
  const grey = await redAndBlue().toColourspace('b-w').jpeg().toBuffer()
  expect((await sharp(grey).metadata()).channels).toBe(1)
  const rgb = await decoded(grey)
  expect(rgb.count).toBe(8 * 6 * 3)
  expect(new Set(rgb.at(0, 0)).size).toBe(1)

  const one = await decoded(await redAndBlue().jpeg().toBuffer(), 'image/jpeg', { ...SIZE, channels: 1 })
  expect(one.count).toBe(8 * 6)
  expect(one.at(0, 0)[0]).toBeGreaterThan(one.at(7, 0)[0]!)

  const cmyk = await decoded(await redAndBlue().toColourspace('cmyk').jpeg().toBuffer())
  expect(cmyk.count).toBe(8 * 6 * 3)
  expect(cmyk.at(0, 0)[0]).toBeGreaterThan(cmyk.at(0, 0)[2]! + 100)

  const clear = {
    create: { width: 16, height: 12, channels: 4 as const, background: { r: 255, g: 255, b: 255, alpha: 0 } },
  }
  expect((await decoded(await sharp(clear).png().toBuffer(), 'image/png')).at(4, 3)).toEqual([0, 0, 0])

  const deep = await redAndBlue().toColourspace('rgb16').png().toBuffer()
  expect((await sharp(deep).metadata()).depth).toBe('ushort')
  expectNear((await decoded(deep, 'image/png')).at(0, 0), [220, 20, 20])
})

test('files that are cut, of another type or absurdly large are refused with a reason', async () => {
  const jpeg = await redAndBlue().jpeg().toBuffer()
  const png = await redAndBlue().png().toBuffer()
  expect(await refusal(jpeg.subarray(0, jpeg.length - 20))).toMatch(/premature end/)
  for (const share of [0.2, 0.5, 0.9]) {
    expect(await refusal(jpeg.subarray(0, Math.round(jpeg.length * share)))).not.toBe('a picture')
    expect(await refusal(png.subarray(0, Math.round(png.length * share)), 'image/png')).not.toBe('a picture')
  }
  expect(await refusal(new Uint8Array(0))).toBe('is no image/jpeg file')
  expect(await refusal(png)).toBe('is no image/jpeg file')
  expect(await refusal(jpeg, 'image/png')).toBe('is no image/png file')
  expect(await refusal(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'))).toMatch(/is no/)
  // A small file whose header claims 100 megapixels.
  const bomb = Buffer.from(png)
  bomb.writeUInt32BE(10_000, 16)
  bomb.writeUInt32BE(10_000, 20)
  bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29)
  expect(await refusal(bomb, 'image/png')).toMatch(/pixel limit/)
})

test('many at once all come out, each its own', async () => {
  const files = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      sharp({ create: { width: 16, height: 12, channels: 3, background: { r: 6 * i, g: 0, b: 255 - 6 * i } } })
        .png()
        .toBuffer(),
    ),
  )
  const pictures = await Promise.all(files.map((file) => decoded(file, 'image/png')))
  expect(pictures.map(({ at }) => at(0, 0))).toEqual(files.map((_, i) => [6 * i, 0, 255 - 6 * i]))
})
