/**
 * Shapes of a fleet's modalities, from what its sensors sent. Where shapes differ, the most frequent one is taken;
 * readings of another shape will hide their tokens, and a warning counts them.
 *
 * Tokens are few, because attention costs by their square: about 16 of a picture, 24 of a sound, 4 of a variable's
 * series. Patches stay square in pictures and about as wide as a call in sounds.
 */
import type { LocationPart } from '#shared/domain/modality.ts'
import type { ReadingContent } from '#shared/domain/reading.ts'
import type { TokenReading } from '#shared/tokens/tokenize.ts'
import { nameProblem } from './modality-name.ts'
import type { DatasetWarning, ModalityTemplate } from './raw-set.ts'

const IMAGE_TOKENS = 16
const MOST_IMAGE_TOKENS = 256
const SOUND_COLUMNS = 6
const BANDS_PER_PATCH = 8
const SERIES_PERIODS = 4
const LOCATION_PARTS: readonly LocationPart[] = ['position', 'elevation', 'season', 'dayTime']

/** Modalities and variables in order of their names, so that the order of arrival doesn't count. */
export const inferTemplates = (
  readings: Iterable<TokenReading>,
  onWarning: (warning: DatasetWarning) => void = () => undefined,
): readonly ModalityTemplate[] => {
  const shapes = new Map<string, Map<string, ReadingContent[]>>()
  for (const { modality, content } of readings) {
    const shape = shapeOf(content)
    const own = shapes.get(modality) ?? new Map<string, ReadingContent[]>()
    const alike = own.get(shape) ?? []
    alike.push(content)
    shapes.set(modality, own.set(shape, alike))
  }
  return [...shapes].sort(byKey).flatMap(([name, counted]) => {
    const [shape, contents] = [...counted].sort(byKey).reduce((best, it) => (it[1].length > best[1].length ? it : best))
    const others = [...counted.values()].reduce((sum, it) => sum + it.length, -contents.length)
    const warn = (count: number, detail: string) => onWarning({ code: 'other-shape', subject: name, count, detail })
    const problem = nameProblem(name)
    if (problem !== null) {
      onWarning({ code: 'bad-name', subject: name, count: others + contents.length, detail: `left out: ${problem}` })
      return []
    }
    if (others > 0) warn(others, `readings that are not ${shape}`)
    const template = templateOf(name, contents)
    if (template === null) warn(contents.length, `no tokens can be made of ${shape}; the modality is left out`)
    return template === null ? [] : [template]
  })
}

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)

/** Readings of equal shape can feed one modality. Lengths of sounds and sets of variables may vary. */
const shapeOf = (content: ReadingContent): string => {
  switch (content.kind) {
    case 'scalars':
    case 'location':
      return content.kind
    case 'series':
      return `series of ${content.stepMs} ms steps`
    case 'image':
      return `image ${content.width} × ${content.height} × ${content.channels}`
    case 'audio': {
      const { sampleRateHz, fftSize, hopSize, bands, lowHz, highHz } = content.frontEnd
      return `audio ${sampleRateHz}/${fftSize}/${hopSize} Hz, ${bands} bands of ${lowHz}–${highHz} Hz`
    }
    case 'embedding':
      return `embedding ${content.encoder} × ${content.vector.length}`
  }
}

/** `contents`: all of one shape, at least one. Null when there are no variables, or no patches of a sensible number. */
const templateOf = (name: string, contents: readonly ReadingContent[]): ModalityTemplate | null => {
  const [first] = contents
  switch (first!.kind) {
    case 'scalars': {
      const names = distinct(contents.flatMap((it) => (it.kind === 'scalars' ? Object.keys(it.values) : [])))
      if (names.length === 0) return null
      return { kind: 'tabular', name, variables: names.map((it) => ({ type: 'number', name: it })) }
    }
    case 'series': {
      const series = contents.flatMap((it) => (it.kind === 'series' ? [it.variables] : []))
      const length = mostFrequent(series.flatMap((it) => Object.values(it).map((values) => values.length)))
      if (length === 0) return null
      const periods = Math.min(SERIES_PERIODS, length)
      return {
        kind: 'series',
        name,
        stepMs: first!.stepMs,
        periods,
        stepsPerPeriod: Math.floor(length / periods),
        variables: distinct(series.flatMap((it) => Object.keys(it))),
      }
    }
    case 'image': {
      const { width, height, channels } = first!
      const patch = squarePatch(width, height)
      return patch === null ? null : { kind: 'image', name, width, height, channels, patch }
    }
    case 'audio': {
      const { frontEnd } = first!
      const frames = mostFrequent(contents.flatMap((it) => (it.kind === 'audio' ? [it.frames] : [])))
      const columns = Math.max(1, Math.min(SOUND_COLUMNS, frames))
      const patchFrames = Math.max(1, Math.floor(frames / columns))
      const patchBands = nearestDivisor(frontEnd.bands, BANDS_PER_PATCH)
      return { kind: 'audio', name, frontEnd, frames: columns * patchFrames, patchFrames, patchBands }
    }
    case 'location':
      return { kind: 'location', name, parts: LOCATION_PARTS }
    case 'embedding':
      return { kind: 'embedding', name, encoder: first!.encoder, size: first!.vector.length }
  }
}

const distinct = (names: readonly string[]): readonly string[] => [...new Set(names)].sort()

/** Of equally frequent ones the largest. */
const mostFrequent = (values: readonly number[]): number => {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].reduce(
    (best, it) => (it[1] > best[1] || (it[1] === best[1] && it[0] > best[0]) ? it : best),
    [0, 0],
  )[0]
}

const divisors = (n: number): readonly number[] =>
  Array.from({ length: n }, (_, i) => i + 1).filter((candidate) => n % candidate === 0)

const nearestDivisor = (n: number, wanted: number): number =>
  divisors(n).reduce((best, it) => (Math.abs(Math.log(it / wanted)) < Math.abs(Math.log(best / wanted)) ? it : best))

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b))

/** Side of the square patch that makes about IMAGE_TOKENS of them. */
const squarePatch = (width: number, height: number): number | null => {
  const tokens = (patch: number) => (width * height) / patch ** 2
  const off = (patch: number) => Math.abs(Math.log(tokens(patch) / IMAGE_TOKENS))
  const best = divisors(gcd(width, height)).reduce((a, b) => (off(b) < off(a) ? b : a))
  return tokens(best) <= MOST_IMAGE_TOKENS ? best : null
}
