/** Files of real recorders and cameras, as messages; see the README of each folder of ../shared/data for their origin. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { DeploymentId, NodeId, SensorId } from '#shared/domain/ids.ts'
import type { ReadingContent } from '#shared/domain/reading.ts'
import { realData } from '#test/support/real-data.ts'
import { createReadingParser } from './parse-message.ts'
import { decodeWav } from './wav.ts'

const here = ['camera-edge-cases', 'recorder-files', 'esc10', 'soundscape-jura'].map(realData)
const DATA = join(here[0]!.path, '..')
const testReal = test.skipIf(!here.every(({ isHere }) => isHere))

const parse = createReadingParser({
  node: 'n' as NodeId,
  sensors: new Map([['s', { id: 's' as SensorId, modality: 'm', deployment: 'd' as DeploymentId }]]),
  maxPayloadBytes: 4_000_000,
  clock: { nowMs: () => 0, monotonicMs: () => 0 },
})

type Kind = 'audio' | 'image'
const TYPE = { audio: 'audio/wav', image: 'image/jpeg' } as const

/** The content, or "reason: detail". */
const parsed = async <K extends Kind>(kind: K, file: Uint8Array) => {
  const media = { type: TYPE[kind], data: Buffer.from(file).toString('base64') }
  const message = { schema: 'reading/1', id: 'r', observed_at: null, media }
  const result = await parse('u/v/n/s/obs', Buffer.from(JSON.stringify(message)))
  return result.ok
    ? (result.value.reading.content as Extract<ReadingContent, { kind: K }>)
    : `${result.error.reason}: ${result.error.detail}`
}
const content = async <K extends Kind>(kind: K, file: Uint8Array) => {
  const result = await parsed(kind, file)
  if (typeof result === 'string') throw new Error(result)
  return result
}

const wavFiles = (folder: string): readonly string[] =>
  readdirSync(join(DATA, folder))
    .filter((name) => name.endsWith('.wav'))
    .map((name) => join(DATA, folder, name))

/** Mean level, 0 to 255, of the bands that hold most bird song (1.9 to 6 kHz). */
const songLevel = ({ frames, levels }: Extract<ReadingContent, { kind: 'audio' }>): number => {
  let sum = 0
  for (let frame = 0; frame < frames; frame++) for (let band = 16; band < 28; band++) sum += levels[frame * 32 + band]!
  return sum / (frames * 12)
}

testReal('recorders: AudioMoth with comments, a GPS one, an array, a bat detector, a field recorder', async () => {
  // Sample counts from the READMEs' seconds and rates; comments and padding stand behind the sound.
  const check = async (name: string, { hz, count, first }: { hz: number; count: number; first: number }) => {
    const file = readFileSync(join(DATA, 'recorder-files', name))
    const wav = decodeWav(file)
    if (!wav.ok) throw new Error(`${name} ${wav.error}`)
    expect([wav.value.sampleRateHz, wav.value.samples.length, wav.value.channels], name).toEqual([hz, count, 1])
    expect(wav.value.samples[0], name).toBe(first / 32768)
    const { frames, levels } = await content('audio', file)
    expect(frames, name).toBe(Math.floor((Math.floor((count * 16000) / hz) - 512) / 256) + 1)
    expect(new Set(levels).size, name).toBeGreaterThan(30)
  }
  await check('audiomoth_2020.wav', { hz: 32000, count: 479_022, first: -107 })
  await check('audiomoth_gps.wav', { hz: 48000, count: 95_999, first: -229 })
  await check('bat_recording_bioacoustics.wav', { hz: 50000, count: 6737, first: -252 })
  await check('birds_10s.wav', { hz: 32000, count: 324_263, first: 240 })
  await check('spinetail.wav', { hz: 44100, count: 861_799, first: -40 })
  await check('array-loca/LOCA_2021_09_24_652_3.wav', { hz: 22050, count: 22050, first: 479 })
})

testReal('a recorder cut off in mid-file is bad media', async () => {
  const file = readFileSync(join(DATA, 'recorder-files/audiomoth_2020.wav'))
  // The comment behind the sound may be missing, the sound not.
  expect(await parsed('audio', file.subarray(0, 44 + 958_044))).toHaveProperty('kind', 'audio')
  expect(await parsed('audio', file.subarray(0, 600_000))).toBe(
    'bad-media: media.data: promises 958044 bytes of sound and holds 599956: cut off',
  )
})

testReal('all clips of ESC-10 are whole sounds, and rain is not a clock', async () => {
  const level = new Map<string, number[]>()
  for (const path of wavFiles('esc10/audio')) {
    const file = readFileSync(path)
    const audio = await content('audio', file)
    // 16 kHz, 16 bits, a header of 44 bytes and nothing else.
    expect(audio.frames, path).toBe(Math.floor(((file.length - 44) / 2 - 512) / 256) + 1)
    const [name] = path.split('/').at(-1)!.split('__')
    level.set(name!, [...(level.get(name!) ?? []), songLevel(audio)])
  }
  expect([...level.keys()]).toHaveLength(10)
  const median = (name: string) => level.get(name)!.sort((a, b) => a - b)[Math.floor(level.get(name)!.length / 2)]!
  expect(median('rain')).toBeGreaterThan(2 * median('clock_tick'))
})

testReal('a day in the Jura: silent at night, loud at dawn', async () => {
  const levels = new Map<string, number>()
  for (const path of wavFiles('soundscape-jura/audio')) {
    const audio = await content('audio', readFileSync(path))
    expect(audio.frames, path).toBe(Math.floor((160_000 - 512) / 256) + 1)
    levels.set(path.slice(-10, -6), songLevel(audio))
  }
  const mean = (hour: string) =>
    ['00', '15', '30', '45'].reduce((sum, minute) => sum + levels.get(hour + minute)!, 0) / 4
  for (const night of ['00', '02', '22'])
    for (const day of ['06', '08']) expect(mean(day)).toBeGreaterThan(10 * mean(night))
})

testReal('cameras: plain, grey, turned, cut off', async () => {
  const file = (name: string) => readFileSync(join(DATA, 'camera-edge-cases', name))
  const plain = await content('image', file('african_elephants.jpg'))
  expect([plain.width, plain.height, plain.channels, plain.pixels.length]).toEqual([64, 48, 3, 9216])
  const difference = (other: Uint8Array) =>
    other.reduce((sum, value, i) => sum + Math.abs(value - plain.pixels[i]!), 0) / other.length

  // The same picture, stored on its side with the note to turn it by 90°.
  const turned = await content('image', file('african_elephants_with_exif_orientation.jpg'))
  expect(difference(turned.pixels)).toBeLessThan(4)

  const grey = await content('image', file('african_elephants_bw.jpg'))
  for (let i = 0; i < grey.pixels.length; i += 3) {
    expect(grey.pixels[i + 1]).toBe(grey.pixels[i])
    expect(grey.pixels[i + 2]).toBe(grey.pixels[i])
  }
  expect(difference(grey.pixels)).toBeLessThan(25)
  for (const other of ['blank.jpg', 'ocelot.jpg'])
    expect(difference((await content('image', file(other))).pixels), other).toBeGreaterThan(30)

  expect(await parsed('image', file('african_elephants_truncated_file.jpg'))).toBe(
    'bad-media: media.data: VipsJpeg: premature end of JPEG image',
  )
})
