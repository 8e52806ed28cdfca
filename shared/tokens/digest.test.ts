import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ModalitySpec } from '#shared/domain/modality.ts'
import { arbitrarySpecs } from '#test/support/arbitrary-readings.ts'
import { tokenizerDigest } from './digest.ts'

type Json = null | string | number | boolean | readonly Json[] | { readonly [key: string]: Json }

/** The same value with the keys of every object the other way round. */
const keysReversed = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(keysReversed)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value as Readonly<Record<string, Json>>).reverse()
  return Object.fromEntries(entries.map(([key, inner]) => [key, keysReversed(inner)]))
}

/** Every value that differs from the given one in a single number or string. */
const changes = (value: Json): Json[] => {
  if (typeof value === 'number') return [value + 0.5]
  if (typeof value === 'string') return [`${value}!`]
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap((inner, i) => changes(inner).map((other) => value.with(i, other)))
  return Object.entries(value as Readonly<Record<string, Json>>).flatMap(([key, inner]) =>
    changes(inner).map((other) => ({ ...value, [key]: other })),
  )
}

const digest = (value: Json): string => tokenizerDigest(value as unknown as readonly ModalitySpec[])

test('the order of keys does not count, a way through JSON neither', () => {
  fc.assert(
    fc.property(arbitrarySpecs, (specs) => {
      const json: Json = JSON.parse(JSON.stringify(specs))
      expect(tokenizerDigest(specs)).toMatch(/^[0-9a-f]{64}$/)
      expect(digest(json)).toBe(tokenizerDigest(specs))
      expect(digest(keysReversed(json))).toBe(tokenizerDigest(specs))
    }),
  )
})

test('any change of a number or a name, and another order of modalities, give another digest', () => {
  fc.assert(
    fc.property(arbitrarySpecs, (specs) => {
      const json: Json = JSON.parse(JSON.stringify(specs))
      const others = changes(json)
      if (specs.length > 1) others.push(JSON.parse(JSON.stringify(specs.toReversed())))
      const digests = new Set([json, ...others].map(digest))
      expect(digests.size).toBe(others.length + 1)
    }),
  )
})
