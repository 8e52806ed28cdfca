/**
 * What the recorder hears, as a file: 2 s of 16-bit mono at 16 kHz. Wind is low-passed noise, rain is
 * high-passed noise with drops, and each call or mimic of the truth is drawn at its level above the
 * recorder's quiet floor. No sound is in the file that the truth does not list.
 */
import { type Random, randomStream } from '#shared/std/random.ts'
import type { Caught, Sound } from './catching.ts'
import { type Call, SPECIES } from './species.ts'
import type { Weather } from './weather.ts'

export const SAMPLE_RATE_HZ = 16000
const RECORDING_SECONDS = 2
/** Root mean square of the microphone's own noise, of full scale 1: −54 dB. */
const FLOOR = 0.002

const amplitude = (db: number): number => FLOOR * 10 ** (db / 20)

const addNoise = (samples: Float64Array, random: Random, weather: Weather): void => {
  const wind = amplitude(1.6 * Math.max(weather.windSpeedMs - 1, 0)) - FLOOR
  const rain = amplitude(5 * Math.sqrt(weather.rainMm)) - FLOOR
  let low = 0
  let before = 0
  for (let i = 0; i < samples.length; i++) {
    // A triangular variate of unit variance: a quarter of the cost of a normal one, and nobody hears the difference.
    const white = (random.uniform() - random.uniform()) * Math.sqrt(6)
    // One pole at about 250 Hz; the factor brings its output back to unit variance.
    low += 0.095 * (white - low)
    samples[i]! += FLOOR * white + wind * 4.5 * low + rain * Math.SQRT1_2 * (white - before)
    before = white
  }
  const drops = Math.round(8 * weather.rainMm)
  for (let drop = 0; drop < drops; drop++) {
    const start = random.index(samples.length - 200)
    for (let i = 0; i < 200; i++) samples[start + i]! += rain * 4 * Math.exp(-i / 40) * (random.uniform() - 0.5)
  }
}

const addSyllable = (samples: Float64Array, start: number, call: Call, peak: number, random: Random): void => {
  const length = Math.round((call.syllableMs / 1000) * SAMPLE_RATE_HZ)
  let phase = 0
  for (let i = 0; i < length && start + i < samples.length; i++) {
    const share = i / length
    phase += (2 * Math.PI * (call.fromHz + (call.toHz - call.fromHz) * share)) / SAMPLE_RATE_HZ
    const roughPhase = call.roughness * 2.4 * (random.uniform() - 0.5)
    const tone =
      Math.sin(phase + roughPhase) +
      call.harmonics * Math.sin(2 * phase + roughPhase) +
      0.5 * call.harmonics * Math.sin(3 * phase)
    samples[start + i]! += peak * Math.sin(Math.PI * share) * tone
  }
}

const addSound = (samples: Float64Array, sound: Sound, random: Random): void => {
  const call = SPECIES.find(({ id }) => id === sound.species)?.call
  if (!call) return
  const step = Math.round(((call.syllableMs + call.gapMs) / 1000) * SAMPLE_RATE_HZ)
  // Calls begin early enough to be heard to their end.
  const room = Math.max(0, samples.length - step * call.syllables)
  const start = Math.round(sound.startShare * room)
  for (let syllable = 0; syllable < call.syllables; syllable++) {
    addSyllable(samples, start + syllable * step, call, amplitude(sound.levelDb) * Math.SQRT2, random)
  }
}

/** Samples of full scale ±1, length SAMPLE_RATE_HZ × RECORDING_SECONDS. */
export const recordSound = (seed: number, weather: Weather, caught: Caught): Float64Array => {
  const random = randomStream(seed, 'sound')
  const samples = new Float64Array(SAMPLE_RATE_HZ * RECORDING_SECONDS)
  addNoise(samples, random, weather)
  for (const sound of [...caught.calls, ...caught.mimics]) addSound(samples, sound, random)
  return samples
}

/** A RIFF WAVE file of 16-bit mono PCM; what exceeds full scale is clipped. */
export const encodeWav = (samples: Float64Array): Uint8Array => {
  const bytes = Buffer.alloc(44 + 2 * samples.length)
  bytes.write('RIFF', 0, 'latin1')
  bytes.writeUInt32LE(bytes.length - 8, 4)
  bytes.write('WAVEfmt ', 8, 'latin1')
  bytes.writeUInt32LE(16, 16)
  bytes.writeUInt16LE(1, 20)
  bytes.writeUInt16LE(1, 22)
  bytes.writeUInt32LE(SAMPLE_RATE_HZ, 24)
  bytes.writeUInt32LE(2 * SAMPLE_RATE_HZ, 28)
  bytes.writeUInt16LE(2, 32)
  bytes.writeUInt16LE(16, 34)
  bytes.write('data', 36, 'latin1')
  bytes.writeUInt32LE(2 * samples.length, 40)
  samples.forEach((sample, i) => {
    bytes.writeInt16LE(Math.round(32767 * Math.min(1, Math.max(-1, sample))), 44 + 2 * i)
  })
  return bytes
}
