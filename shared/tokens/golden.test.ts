import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import type { AudioFrontEnd } from '#shared/domain/reading.ts'
import type { TimeWindow } from '#shared/domain/time.ts'
import { layoutOf } from './layout-of.ts'
import { logMel } from './log-mel.ts'
import { type TokenReading, tokenize } from './tokenize.ts'

const reviveBytes = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'base64' in value ? Buffer.from(String(value.base64), 'base64') : value

const vector = <T>(name: string): T & { readonly v8: string; readonly sha256: string } =>
  JSON.parse(readFileSync(new URL(`../../test/vectors/tokens/${name}.json`, import.meta.url), 'utf8'), reviveBytes)

const sha256 = (...parts: readonly Uint8Array[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

/** Little-endian, whatever the machine. */
const floatBytes = (values: Float32Array): Uint8Array => {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [i, value] of values.entries()) bytes.writeFloatLE(value, 4 * i)
  return bytes
}

/** The engine is part of the comparison, so a failure says at once whether it changed. */
const made = (v8: string) => `by V8 ${v8}, now ${process.versions.v8}`

type TokenVector = {
  readonly specs: readonly ModalitySpec[]
  readonly window: TimeWindow
  readonly readings: readonly TokenReading[]
  readonly hidden: string
}

test.each(['tabular', 'series', 'image', 'audio', 'location', 'embedding'])(
  '%s tokens are those of the vector',
  (kind) => {
    const { v8, specs, window, readings, ...expected } = vector<TokenVector>(kind)
    const { features, hidden } = tokenize(specs, layoutOf(specs), readings, window)
    expect({ hidden: hidden.join(''), sha256: sha256(floatBytes(features), hidden) }, made(v8)).toEqual(expected)
  },
)

test('the log-mel picture is that of the vector', () => {
  type LogMelVector = { readonly frontEnd: AudioFrontEnd; readonly samples: Buffer; readonly frames: number }
  const { v8, frontEnd, samples, ...expected } = vector<LogMelVector>('log-mel')
  const values = Float64Array.from({ length: samples.length / 2 }, (_, i) => samples.readInt16LE(2 * i) / 32768)
  const { frames, levels } = logMel(values, frontEnd)
  expect({ frames, sha256: sha256(levels) }, made(v8)).toEqual(expected)
})
