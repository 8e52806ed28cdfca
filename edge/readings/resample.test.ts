import { expect, test } from 'vitest'
import { resample } from './resample.ts'

const sine = (hz: number, rateHz: number, count: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => Math.sin((2 * Math.PI * hz * i) / rateHz + 0.3))
const decibels = (ratio: number): number => 20 * Math.log10(ratio)
const rms = (samples: Float64Array): number => Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length)

// AudioMoth's rates, Song Meters' 22 kHz, CD, a rate without common divisor, and the way up.
const RATES = [
  [48000, 16000],
  [44100, 16000],
  [32000, 16000],
  [22050, 16000],
  [22000, 16000],
  [22001, 16000],
  [384000, 16000],
  [250000, 48000],
  [8000, 16000],
  [16000, 48000],
] as const

test.each(RATES)('a sine at %i Hz is the same sine at %i Hz', (fromHz, toHz) => {
  const count = Math.round(fromHz * 0.25)
  const nyquist = Math.min(fromHz, toHz) / 2
  // Beyond the reach of the filter from both ends.
  const edge = Math.ceil((40 * toHz) / Math.min(fromHz, toHz))
  for (const share of [0.01, 0.1, 0.5, 0.8]) {
    const resampled = resample(sine(share * nyquist, fromHz, count), { fromHz, toHz })
    expect(resampled).toHaveLength(Math.floor((count * toHz) / fromHz))
    const expected = sine(share * nyquist, toHz, resampled.length)
    const inner = resampled.map((x, i) => x - expected[i]!).subarray(edge, -edge)
    expect(decibels(rms(inner) / Math.SQRT1_2), `${share} of Nyquist`).toBeLessThan(-70)
  }
})

test('what the lower rate cannot hold is gone, and does not come back as an alias', () => {
  for (const [fromHz, toHz] of RATES.filter(([from, to]) => from > 1.2 * to)) {
    const edge = 40
    for (const hz of [toHz / 2, toHz * 0.55].filter((hz) => hz < fromHz / 2)) {
      const resampled = resample(sine(hz, fromHz, Math.round(fromHz * 0.25)), { fromHz, toHz })
      expect(decibels(rms(resampled.subarray(edge, -edge)) / Math.SQRT1_2), `${hz} of ${fromHz}`).toBeLessThan(-70)
    }
  }
})

test('equal rates change nothing; silence, a constant and a single sample survive', () => {
  const samples = sine(440, 16000, 100)
  expect(resample(samples, { fromHz: 16000, toHz: 16000 })).toEqual(samples)
  expect(resample(new Float64Array(300), { fromHz: 48000, toHz: 16000 })).toEqual(new Float64Array(100))
  const constant = resample(new Float64Array(3000).fill(0.5), { fromHz: 44100, toHz: 16000 }).subarray(40, -40)
  for (const x of constant) expect(Math.abs(x - 0.5)).toBeLessThan(2e-4)
  expect(resample(Float64Array.of(0.5), { fromHz: 384000, toHz: 16000 })).toHaveLength(1)
})
