/**
 * Band-limited resampling with a windowed sinc (J. O. Smith, "Digital Audio Resampling Home Page", CCRMA):
 *
 *   y(n) = c Σ_k x(k) h(c (t_n − k)),  t_n = n · from / to,  c = ROLLOFF · min(1, to / from)
 *   h(u) = sinc(u) · I0(β √(1 − (u/Z)²)) / I0(β)  for |u| < Z, else 0
 *
 * β = 7.857 damps aliases and images by 80 dB (Kaiser's formula β = 0.1102 (A − 8.7)), the depth of the
 * log-mel picture behind it. With Z = 32 zero crossings the passband is flat to 0.84 of the lower Nyquist
 * frequency and closed at 1. All in float64, so every machine makes the same samples.
 */

const ZERO_CROSSINGS = 32
const BETA = 7.857
const ROLLOFF = 0.92
/** Table steps between zero crossings; linear interpolation between them errs by (π/512)²/8 = 5e-6. */
const STEPS = 512

/** Modified Bessel function of the first kind, order 0, by its power series. */
const besselI0 = (x: number): number => {
  let term = 1
  let sum = 1
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= (x / (2 * k)) ** 2
    sum += term
  }
  return sum
}

/** h at multiples of 1/STEPS from 0 to Z, and one zero more for the interpolation at the end. */
const makeKernel = (): Float64Array => {
  const kernel = new Float64Array(ZERO_CROSSINGS * STEPS + 2)
  for (let i = 0; i <= ZERO_CROSSINGS * STEPS; i++) {
    const u = i / STEPS
    const sinc = u === 0 ? 1 : Math.sin(Math.PI * u) / (Math.PI * u)
    kernel[i] = (sinc * besselI0(BETA * Math.sqrt(1 - (u / ZERO_CROSSINGS) ** 2))) / besselI0(BETA)
  }
  return kernel
}

let kernel: Float64Array | undefined

/** Samples at `toHz` of the same sound; ⌊length · to / from⌋ of them, at least one. Equal rates give the samples themselves. */
export const resample = (
  samples: Float64Array,
  { fromHz, toHz }: { readonly fromHz: number; readonly toHz: number },
): Float64Array => {
  if (fromHz === toHz) return samples
  kernel ??= makeKernel()
  const table = kernel
  const c = ROLLOFF * Math.min(1, toHz / fromHz)
  const reach = ZERO_CROSSINGS / c
  const resampled = new Float64Array(Math.max(1, Math.floor((samples.length * toHz) / fromHz)))
  for (let n = 0; n < resampled.length; n++) {
    const t = (n * fromHz) / toHz
    const last = Math.min(samples.length - 1, Math.floor(t + reach))
    let sum = 0
    for (let k = Math.max(0, Math.ceil(t - reach)); k <= last; k++) {
      const at = Math.abs(t - k) * c * STEPS
      const below = Math.floor(at)
      const low = table[below]!
      sum += samples[k]! * (low + (at - below) * (table[below + 1]! - low))
    }
    resampled[n] = c * sum
  }
  return resampled
}
