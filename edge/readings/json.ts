/** Bytes to a JSON value, strictly; numbers that JSON doesn't have are told apart from other damage. */
import { err, ok, type Result } from '#shared/std/result.ts'
import type { Fault } from './fault.ts'

export const decodeJson = (payload: Uint8Array): Result<unknown, Fault> => {
  const text = decodeText(payload)
  if (text === null) return err({ reason: 'malformed-json', detail: 'payload: is not UTF-8' })
  const value = parse(text)
  if (value !== undefined) return ok(value)
  const field = bareNotANumber(text)
  if (field === null)
    return err({ reason: 'malformed-json', detail: `payload: ${payload.length} bytes that are no JSON` })
  return err({ reason: 'not-a-number', detail: `${field.name}: ${field.token} is no number` })
}

const decodeText = (payload: Uint8Array): string | null => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(payload)
  } catch {
    return null // the decoder only says that it is none
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // no JSON is undefined; the parser's own words name a place in a text that nobody sees
  }
}

/** What printf and careless writers make of a failed conversion, in C, Python, Java and old Windows. */
const NOT_A_NUMBER = /[-+]?(?:nan(?:\(\w*\))?|inf(?:inity)?|1\.#(?:qnan|snan|ind|inf)\d*)(?=[\s,\]}]|$)/iy

/**
 * The first bare NaN or infinity and the key before it, when such tokens are all that is wrong with the text;
 * otherwise null. Strings are stepped over, so a "NaN" inside one counts for nothing.
 */
const bareNotANumber = (text: string): { readonly name: string; readonly token: string } | null => {
  let first: { readonly name: string; readonly token: string } | null = null
  let key = 'payload'
  let repaired = ''
  let copied = 0
  let at = 0
  while (at < text.length) {
    if (text[at] === '"') {
      const end = endOfString(text, at)
      if (/^\s*:/.test(text.slice(end, end + 16))) key = text.slice(at + 1, end - 1).slice(0, 64)
      at = end
      continue
    }
    NOT_A_NUMBER.lastIndex = at
    const token = NOT_A_NUMBER.exec(text)?.[0]
    if (token === undefined) {
      at++
      continue
    }
    first ??= { name: key, token }
    repaired += `${text.slice(copied, at)}null`
    at += token.length
    copied = at
  }
  return first !== null && parse(repaired + text.slice(copied)) !== undefined ? first : null
}

/** Index behind the closing quote, or the end of the text. */
const endOfString = (text: string, start: number): number => {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return text.length
}
