import { expect, test } from 'vitest'
import type { AudioFrontEnd } from '#shared/domain/reading.ts'
import { randomStream } from '#shared/std/random.ts'
import { DEFAULT_FRONT_END, levelToDb, logMel } from './log-mel.ts'

const sine = (hz: number, amplitude: number, count: number, rate = 16000): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => amplitude * Math.sin((2 * Math.PI * hz * i) / rate))

const noise = (seed: number, count: number, amplitude: number): Float64Array => {
  const random = randomStream(seed, 'noise')
  return Float64Array.from({ length: count }, () => amplitude * (2 * random.uniform() - 1))
}

const mel = (hz: number) => 2595 * Math.log10(1 + hz / 700)

/** Weight of a frequency in a band: rises and falls straight between the band's three corners. */
const triangle = (frontEnd: AudioFrontEnd, band: number, hz: number): number => {
  const step = (mel(frontEnd.highHz) - mel(frontEnd.lowHz)) / (frontEnd.bands + 1)
  const corners = [0, 1, 2].map((i) => 700 * (10 ** ((mel(frontEnd.lowHz) + (band + i) * step) / 2595) - 1))
  const [left, peak, right] = corners as [number, number, number]
  if (hz <= left || hz >= right) return 0
  return hz <= peak ? (hz - left) / (peak - left) : (right - hz) / (right - peak)
}

/** Decibels of every band of one frame by the definition of the discrete Fourier transform. */
const slowFrame = (frame: Float64Array, frontEnd: AudioFrontEnd): number[] => {
  const n = frame.length
  const window = frame.map((_, i) => Math.sin((Math.PI * i) / n) ** 2)
  const energy = window.reduce((sum, w) => sum + w * w, 0)
  const power = Array.from({ length: n / 2 + 1 }, (_, k) => {
    let [re, im] = [0, 0]
    for (let i = 0; i < n; i++) {
      re += window[i]! * frame[i]! * Math.cos((2 * Math.PI * k * i) / n)
      im += window[i]! * frame[i]! * Math.sin((2 * Math.PI * k * i) / n)
    }
    return (4 * (re * re + im * im)) / (n * energy)
  })
  return Array.from({ length: frontEnd.bands }, (_, band) => {
    const binHz = frontEnd.sampleRateHz / n
    const sum = power.reduce((total, p, k) => total + p * triangle(frontEnd, band, k * binHz), 0)
    return Math.min(0, Math.max(-80, 10 * Math.log10(sum)))
  })
}

const HALF_STEP_DB = 80 / 255 / 2 + 1e-9

const checkAgainstSlow = (samples: Float64Array, frontEnd: AudioFrontEnd): void => {
  const { frames, levels } = logMel(samples, frontEnd)
  expect(levels.length).toBe(frames * frontEnd.bands)
  for (let f = 0; f < frames; f++) {
    const frame = samples.slice(f * frontEnd.hopSize, f * frontEnd.hopSize + frontEnd.fftSize)
    for (const [band, db] of slowFrame(frame, frontEnd).entries()) {
      expect(Math.abs(levelToDb(levels[f * frontEnd.bands + band]!) - db)).toBeLessThan(HALF_STEP_DB)
    }
  }
}

test('levels are those of a slow transform, to half a step', () => {
  checkAgainstSlow(noise(1, 2000, 0.3), DEFAULT_FRONT_END)
  checkAgainstSlow(
    sine(430, 0.01, 1500).map((x, i) => x + noise(2, 1500, 0.001)[i]!),
    DEFAULT_FRONT_END,
  )
  // Radix 2 and 4, bands from 0 Hz to half the rate, and a hop that doesn't divide the frame.
  const wide = { sampleRateHz: 8000, hopSize: 37, bands: 6, lowHz: 0, highHz: 4000 }
  checkAgainstSlow(noise(3, 500, 1), { ...wide, fftSize: 64 })
  checkAgainstSlow(noise(4, 700, 1), { ...wide, fftSize: 128 })
})

test('a full-scale sine has 0 dB in all, a tenth of its amplitude 20 dB less', () => {
  const { bands } = DEFAULT_FRONT_END
  const total = (amplitude: number): number => {
    const { levels } = logMel(sine(1000, amplitude, 512), DEFAULT_FRONT_END)
    const power = Array.from(levels, (level) => 10 ** (levelToDb(level) / 10)).reduce((sum, p) => sum + p, 0)
    return 10 * Math.log10(power)
  }
  expect(bands).toBe(32)
  // Neighbouring triangles add up to 1, so only quantization is lost.
  expect(total(1)).toBeCloseTo(0, 0)
  expect(total(0.1)).toBeCloseTo(-20, 0)
})

test('the loudest band is the one whose triangle the tone stands in', () => {
  for (const hz of [430, 1000, 2950, 4200, 7000]) {
    const { levels } = logMel(sine(hz, 0.5, 512), DEFAULT_FRONT_END)
    const loudest = levels.indexOf(Math.max(...levels))
    const weights = Array.from({ length: 32 }, (_, band) => triangle(DEFAULT_FRONT_END, band, hz))
    expect(weights[loudest]).toBeGreaterThan(0.3)
  }
})

test('only whole frames count, silence is the lowest level, clipping the highest', () => {
  const frames = (count: number) => logMel(new Float64Array(count), DEFAULT_FRONT_END).frames
  expect([0, 511, 512, 767, 768, 32000].map(frames)).toEqual([0, 0, 1, 1, 2, 124])
  expect(logMel(new Float64Array(512), DEFAULT_FRONT_END).levels.every((level) => level === 0)).toBe(true)
  expect(Math.max(...logMel(sine(1000, 30, 512), DEFAULT_FRONT_END).levels)).toBe(255)
  expect([0, 51, 255].map(levelToDb)).toEqual([-80, -64, 0])
})

test('a front end that makes no sense is refused', () => {
  const check = (change: Partial<AudioFrontEnd>, message: string) =>
    expect(() => logMel(new Float64Array(600), { ...DEFAULT_FRONT_END, ...change })).toThrow(message)
  check({ fftSize: 500 }, 'power of two')
  check({ hopSize: 0 }, 'hop')
  check({ highHz: 8001 }, 'half the rate')
  check({ lowHz: 7500 }, 'half the rate')
})
