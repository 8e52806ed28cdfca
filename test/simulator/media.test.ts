import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import type { Caught } from './catching.ts'
import { writeContactSheet } from './contact-sheet.ts'
import { encodeJpeg, PICTURE_HEIGHT, PICTURE_WIDTH, takePicture } from './picture.ts'
import { drawSprites, SPRITE_HEIGHT, SPRITE_WIDTH } from './silhouettes.ts'
import { encodeWav, recordSound, SAMPLE_RATE_HZ } from './sound.ts'
import { SPECIES } from './species.ts'
import type { Weather } from './weather.ts'

const CALM: Weather = {
  airTemperatureC: 10,
  relativeHumidity: 60,
  rawHumidity: 60,
  windSpeedMs: 1,
  rainMm: 0,
  rainOfDayMm: 0,
  pressureHpa: 1013,
  front: 0,
}
const SILENCE: Caught = { noiseDb: 0, calls: [], mimics: [], seen: [] }

/** Power at one frequency over the whole recording (Goertzel), relative to its mean over samples. */
const powerAt = (samples: Float64Array, hz: number): number => {
  let re = 0
  let im = 0
  samples.forEach((sample, i) => {
    re += sample * Math.cos((2 * Math.PI * hz * i) / SAMPLE_RATE_HZ)
    im += sample * Math.sin((2 * Math.PI * hz * i) / SAMPLE_RATE_HZ)
  })
  return (re * re + im * im) / samples.length
}
const bandPower = (samples: Float64Array, lowHz: number, highHz: number): number =>
  Array.from({ length: 40 }, (_, i) => powerAt(samples, lowHz + ((highHz - lowHz) * i) / 39)).reduce((a, b) => a + b, 0)
const rms = (samples: Float64Array): number =>
  Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length)

test('a calm hour without callers is the floor of the microphone', () => {
  const samples = recordSound(1, CALM, SILENCE)
  expect(samples).toHaveLength(2 * SAMPLE_RATE_HZ)
  expect(rms(samples)).toBeCloseTo(0.002, 4)
})

test('wind adds low sound, rain high sound', () => {
  const calm = recordSound(1, CALM, SILENCE)
  const windy = recordSound(1, { ...CALM, windSpeedMs: 12 }, SILENCE)
  const rainy = recordSound(1, { ...CALM, rainMm: 5 }, SILENCE)
  expect(bandPower(windy, 50, 200)).toBeGreaterThan(10 * bandPower(calm, 50, 200))
  expect(bandPower(rainy, 6000, 7900)).toBeGreaterThan(10 * bandPower(calm, 6000, 7900))
  expect(bandPower(windy, 6000, 7900)).toBeLessThan(bandPower(rainy, 6000, 7900))
})

test.each(SPECIES.filter(({ call }) => call !== null))('$id calls in its own band', ({ id, call }) => {
  const sound = { species: id, levelDb: call!.levelDb, startShare: 0.5 }
  const quiet = recordSound(2, CALM, SILENCE)
  const heard = recordSound(2, CALM, { ...SILENCE, calls: [sound] })
  const low = Math.min(call!.fromHz, call!.toHz) * 0.97
  const high = Math.max(call!.fromHz, call!.toHz) * 1.03
  expect(bandPower(heard, low, high)).toBeGreaterThan(3 * bandPower(quiet, low, high))
  // A mimic is the same sound from something else.
  expect(recordSound(2, CALM, { ...SILENCE, mimics: [sound] })).toEqual(heard)
})

test('a WAV file holds the samples to 16 bits', () => {
  const samples = recordSound(3, { ...CALM, windSpeedMs: 8 }, SILENCE)
  const file = Buffer.from(encodeWav(samples))
  expect(file.subarray(0, 4).toString()).toBe('RIFF')
  expect(file.readUInt32LE(4)).toBe(file.length - 8)
  expect(file.subarray(8, 16).toString()).toBe('WAVEfmt ')
  expect([file.readUInt16LE(20), file.readUInt16LE(22), file.readUInt32LE(24)]).toEqual([1, 1, SAMPLE_RATE_HZ])
  expect(file.readUInt32LE(40)).toBe(file.length - 44)
  samples.forEach((sample, i) => {
    expect(Math.abs(file.readInt16LE(44 + 2 * i) / 32767 - sample)).toBeLessThan(2e-5)
  })
  expect(Buffer.from(encodeWav(Float64Array.of(3, -3))).readInt16LE(44)).toBe(32767)
})

const decode = (file: Uint8Array) => sharp(file, { failOn: 'truncated' }).raw().toBuffer({ resolveWithObject: true })

test('pictures are JPEG files: colour by day, grey by night; a cut one cannot be read', async () => {
  const sprites = await drawSprites()
  const colourfulness = async (night: boolean): Promise<number> => {
    const file = await encodeJpeg(takePicture(4, { seen: ['ember-fox'], night }, sprites))
    const { data, info } = await decode(file)
    expect([info.width, info.height, info.channels]).toEqual([PICTURE_WIDTH, PICTURE_HEIGHT, 3])
    await expect(decode(file.subarray(0, Math.round(file.length * 0.6)))).rejects.toThrow(/premature|truncated/i)
    let sum = 0
    for (let i = 0; i < data.length; i += 3) sum += Math.abs(data[i]! - data[i + 2]!)
    return sum / (data.length / 3)
  }
  expect(await colourfulness(false)).toBeGreaterThan(10)
  expect(await colourfulness(true)).toBeLessThan(6)
})

test('an animal in the picture changes it, by about its size, and nothing else does', async () => {
  const sprites = await drawSprites()
  const changed = (seen: readonly string[]): number => {
    const [empty, full] = [[], seen].map((ids) => takePicture(9, { seen: ids, night: false }, sprites))
    // Light and noise are drawn after the animal, so compare beyond what they can do.
    let count = 0
    for (let i = 0; i < empty!.length; i += 3) {
      if (Math.abs(empty![i]! - full![i]!) + Math.abs(empty![i + 1]! - full![i + 1]!) > 70) count++
    }
    return count
  }
  expect(changed([])).toBe(0)
  expect(changed(['glade-deer'])).toBeGreaterThan(150)
  expect(changed(['pond-piper'])).toBeLessThan(changed(['glade-deer']))
})

test('shapes differ: no two silhouettes overlap by more than four fifths', async () => {
  const masks = [...(await drawSprites()).values()].map((sprite) =>
    Array.from({ length: SPRITE_WIDTH * SPRITE_HEIGHT }, (_, i) => sprite[4 * i + 3]! > 127),
  )
  for (const [i, a] of masks.entries()) {
    for (const b of masks.slice(i + 1)) {
      const both = a.filter((isIn, k) => isIn && b[k]).length
      const either = a.filter((isIn, k) => isIn || b[k]).length
      expect(both / either).toBeLessThan(0.8)
      expect(both / either).toBeGreaterThan(0)
    }
  }
})

test('the contact sheet has a cell for each species and for nobody', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'understory-'))
  try {
    const { width, height } = await sharp(await writeContactSheet(folder)).metadata()
    expect([width, height]).toEqual([8 * PICTURE_WIDTH, (SPECIES.length + 1) * PICTURE_HEIGHT])
  } finally {
    await rm(folder, { recursive: true })
  }
})
