/**
 * Band-limited resampling with a windowed sinc (J. O. Smith, "Digital Audio Resampling Home Page", CCRMA):
 *
 *   y(n) = c Σ_k x(k) h(c (t_n − k)),  t_n = n · from / to,  c = ROLLOFF · min(1, to / from)
 *   h(u) = sinc(u) · I0(β √(1 − (u/Z)²)) / I0(β)  for |u| < Z, else 0
 *
 * β = 7.857 damps aliases and images by 80 dB (Kaiser's formula β = 0.1102 (A − 8.7)), the depth of the
 * log-mel picture behind it. With Z = 32 zero crossings the passband is flat to 0.84 of the lower Nyquist
 * frequency and closed at 1. All in float64, so every machine makes the same samples. Rates are integers.
 */

const ZERO_CROSSINGS = 32
const BETA = 7.857
const ROLLOFF = 0.92
/**
 * Positions between two samples that have weights of their own. Rates in a ratio of small numbers need fewer; for
 * others an instant moves by at most 1/8192 of a sample, which is noise of −75 dB at the highest tones.
 */
const MOST_PHASES = 4096

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

const SCALE = 1 / besselI0(BETA)

const h = (u: number): number => {
  if (u === 0) return 1
  const inside = 1 - (u / ZERO_CROSSINGS) ** 2
  return inside <= 0 ? 0 : (Math.sin(Math.PI * u) / (Math.PI * u)) * besselI0(BETA * Math.sqrt(inside)) * SCALE
}

/** c h(c (fraction − k)) for the samples k = 1 − reach … reach around an instant `fraction` behind a sample. */
const weightsOf = (fraction: number, c: number, reach: number): Float64Array =>
  Float64Array.from({ length: 2 * reach }, (_, i) => c * h(c * (fraction - (i + 1 - reach))))

/** Samples at `toHz` of the same sound; ⌊length · to / from⌋ of them, at least one. Equal rates give the samples themselves. */
export const resample = (
  samples: Float64Array,
  { fromHz, toHz }: { readonly fromHz: number; readonly toHz: number },
): Float64Array => {
  if (fromHz === toHz) return samples
  const divisor = greatestCommonDivisor(fromHz, toHz)
  const [from, to] = [fromHz / divisor, toHz / divisor]
  const c = ROLLOFF * Math.min(1, to / from)
  const reach = Math.ceil(ZERO_CROSSINGS / c)
  const phases = Math.min(to, MOST_PHASES)
  const weightsByPhase: Float64Array[] = []
  const resampled = new Float64Array(Math.max(1, Math.floor((samples.length * to) / from)))
  for (let n = 0; n < resampled.length; n++) {
    const rest = (n * from) % to
    const phase = Math.round((rest * phases) / to)
    weightsByPhase[phase] ??= weightsOf(phase / phases, c, reach)
    const weights = weightsByPhase[phase]
    const start = (n * from - rest) / to + 1 - reach
    const end = Math.min(weights.length, samples.length - start)
    let sum = 0
    for (let i = Math.max(0, -start); i < end; i++) sum += samples[start + i]! * weights[i]!
    resampled[n] = sum
  }
  return resampled
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b))
