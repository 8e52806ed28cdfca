/**
 * The bytes that a signature covers: OLPC canonical JSON, written by the library that TUF uses, behind a guard.
 *
 * The guard is there because the canonical form loses information: all lone surrogates become the same
 * three UTF-8 bytes, −0 becomes 0, integers beyond 2⁵³ are already rounded when they arrive, and keys outside
 * the basic plane sort differently in other languages. Two values that differ must never share their bytes.
 */
import { canonicalize } from '@tufjs/canonical-json'
import { err, ok, type Result } from '#shared/std/result.ts'

export type CanonicalRefusal = 'ill-formed-string' | 'forbidden-key' | 'not-an-integer' | 'not-json' | 'too-deep'

/** Levels of arrays and objects in a signed document; the writer recurses, so the depth needs a bound. */
export const MAX_DEPTH = 32

/** Canonical UTF-8 bytes of a JSON value of integers, strings, booleans, null, arrays and plain objects. */
export const canonicalBytes = (value: unknown): Result<Uint8Array, CanonicalRefusal> => {
  const refusal = guard(value, 0)
  return refusal === null ? ok(Buffer.from(canonicalize(value), 'utf8')) : err(refusal)
}

const guard = (value: unknown, depth: number): CanonicalRefusal | null => {
  if (depth > MAX_DEPTH) return 'too-deep'
  switch (typeof value) {
    case 'boolean':
      return null
    case 'string':
      return value.isWellFormed() ? null : 'ill-formed-string'
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? null : 'not-an-integer'
    case 'object':
      if (value === null) return null
      return Array.isArray(value) ? guardAll(value, depth) : guardObject(value, depth)
    default:
      return 'not-json'
  }
}

const guardAll = (values: readonly unknown[], depth: number): CanonicalRefusal | null => {
  for (const value of values) {
    const refusal = guard(value, depth + 1)
    if (refusal !== null) return refusal
  }
  return null
}

const guardObject = (value: object, depth: number): CanonicalRefusal | null => {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return 'not-json'
  for (const key of Object.keys(value)) {
    // Surrogates mark both ill-formed keys and keys outside the basic plane.
    if (key === '__proto__' || /[\ud800-\udfff]/.test(key)) return 'forbidden-key'
  }
  return guardAll(Object.values(value), depth)
}
