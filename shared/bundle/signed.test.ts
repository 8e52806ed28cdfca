import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { canonicalBytes } from './canonical.ts'
import { generatePrivateKey, type Role, signerOf, type Trust, trustSchema } from './keys.ts'
import { openRelease, type Release } from './release.ts'
import { openSigned, signDocument } from './signed.ts'

const signers = [0, 1, 2].map(() => signerOf(generatePrivateKey()))
const [first, second, third] = signers as [(typeof signers)[0], (typeof signers)[0], (typeof signers)[0]]

const trustIn = (keys: readonly { publicKey: string }[], threshold: number): Trust => {
  const role = { keys: keys.map(({ publicKey }) => publicKey), threshold }
  return { schema: 'trust/1', roles: { release: role, director: role } }
}
const trust = trustIn([first], 1)
const schema = z.object({ _type: z.literal('note'), count: z.int(), text: z.string() })
const note = { _type: 'note', count: 3, text: 'tawny owl é 🦉' }

const open = (bytes: Uint8Array | string, believed = trust, role: Role = 'release', maxBytes = 4096) => {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  return openSigned(buffer, { trust: believed, role, maxBytes, schema })
}
const codeOf = (bytes: Uint8Array | string, believed = trust): string => {
  const opened = open(bytes, believed)
  return opened.ok ? 'accepted' : opened.error.code
}
/** A document with this text as its signed part, signed for real whenever canonical bytes exist. */
const wrap = (signedText: string, signatures = '[]') => `{"signed":${signedText},"signatures":${signatures}}`

describe('a signed document', () => {
  test('opens with its content, and its identity does not depend on how it is spelled', () => {
    const bytes = signDocument(note, [first])
    const opened = open(bytes)
    const respelled = open(JSON.stringify(JSON.parse(Buffer.from(bytes).toString()), null, 4))
    expect(opened).toMatchObject({ ok: true, value: { value: note } })
    expect(respelled).toEqual(opened)
  })

  test('needs as many distinct trusted keys as the threshold', () => {
    const two = trustIn([first, second], 2)
    expect(codeOf(signDocument(note, [first, second]), two)).toBe('accepted')
    expect(codeOf(signDocument(note, [first]), two)).toBe('too-few-signatures')
    expect(codeOf(signDocument(note, [first, third]), two)).toBe('too-few-signatures')
    expect(codeOf(signDocument(note, [first, first]), two)).toBe('wrong-envelope')
    // A valid signature under the id of another trusted key counts for neither.
    const forged = JSON.parse(Buffer.from(signDocument(note, [first])).toString())
    forged.signatures.push({ ...forged.signatures[0], keyid: second.keyId })
    expect(codeOf(JSON.stringify(forged), two)).toBe('too-few-signatures')
  })

  test('of another purpose is refused, though its signature holds', () => {
    expect(codeOf(signDocument({ ...note, _type: 'desired' }, [first]))).toBe('wrong-content')
  })

  test('keeps the roles apart', () => {
    const split: Trust = {
      schema: 'trust/1',
      roles: {
        release: { keys: [first.publicKey], threshold: 1 },
        director: { keys: [second.publicKey], threshold: 1 },
      },
    }
    const byDirector = signDocument(note, [second])
    expect(open(byDirector, split, 'director').ok).toBe(true)
    expect(open(byDirector, split, 'release')).toMatchObject({ error: { code: 'too-few-signatures' } })
  })

  const signature = `[{"keyid":"${first.keyId}","sig":"${'0'.repeat(128)}"}]`
  const cases: readonly (readonly [string, string | Uint8Array, string])[] = [
    ['empty', '', 'malformed-json'],
    ['longer than the cap', ' '.repeat(5000), 'too-long'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'not-utf8'],
    ['an overlong UTF-8 form', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'not-utf8'],
    ['a byte order mark', Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]), 'malformed-json'],
    ['nested 2,000 levels deep', '['.repeat(2000), 'too-deep'],
    ['nested one level too deep', wrap(`{"a":${'['.repeat(32)}${']'.repeat(32)}}`, signature), 'too-deep'],
    ['an array', '[]', 'wrong-envelope'],
    ['no signatures', wrap('{}'), 'wrong-envelope'],
    ['an array as content', wrap('[]', signature), 'wrong-envelope'],
    [
      '17 signatures',
      wrap(
        '{}',
        `[${Array.from({ length: 17 }, (_, i) => `{"keyid":"${String(i).padStart(64, '0')}","sig":"${'0'.repeat(128)}"}`)}]`,
      ),
      'wrong-envelope',
    ],
    [
      'a key id in capitals',
      wrap('{}', signature.toUpperCase().replace('KEYID', 'keyid').replace('SIG', 'sig')),
      'wrong-envelope',
    ],
    ['a zero signature', wrap('{}', signature), 'too-few-signatures'],
    ['a lone surrogate', wrap('{"text":"\\ud800"}', signature), 'ill-formed-string'],
    ['a lone surrogate as key', wrap('{"\\ud800":1}', signature), 'forbidden-key'],
    ['a key outside the basic plane', wrap('{"🦉":1}', signature), 'forbidden-key'],
    ['an own __proto__', wrap('{"__proto__":{"count":1}}', signature), 'forbidden-key'],
    ['a deep own __proto__', wrap('{"a":[{"__proto__":1}]}', signature), 'forbidden-key'],
    ['a fraction', wrap('{"count":0.5}', signature), 'not-an-integer'],
    ['2^53', wrap('{"count":9007199254740992}', signature), 'not-an-integer'],
    ['1e21', wrap('{"count":1e21}', signature), 'not-an-integer'],
    ['minus zero', wrap('{"count":-0}', signature), 'not-an-integer'],
  ]
  test.each(cases)('is refused by name: %s', (_, bytes, code) => {
    expect(codeOf(bytes)).toBe(code)
  })

  test('brackets inside strings are not depth', () => {
    const text = `${'[{'.repeat(60)}\\"${'"'}`
    expect(codeOf(signDocument({ ...note, text }, [first]))).toBe('accepted')
  })

  test('is not made of what can not be signed', () => {
    expect(() => signDocument({ threshold: 0.5 }, [first])).toThrow('not-an-integer')
    expect(() => signDocument({ when: new Date() }, [first])).toThrow('not-json')
    expect(() => signDocument({ missing: undefined }, [first])).toThrow('not-json')
  })
})

describe('mutated documents', () => {
  const original = signDocument(note, [first])
  const other = signDocument({ ...note, count: 4 }, [first])
  const mutation = fc.oneof(
    fc.record({ kind: fc.constant('flip' as const), at: fc.nat(original.length - 1), bit: fc.nat(7) }),
    fc.record({
      kind: fc.constant('cut' as const),
      at: fc.nat(original.length - 1),
      size: fc.integer({ min: 1, max: 40 }),
    }),
    fc.record({
      kind: fc.constant('repeat' as const),
      at: fc.nat(original.length - 1),
      size: fc.integer({ min: 1, max: 40 }),
    }),
    fc.record({
      kind: fc.constant('splice' as const),
      at: fc.nat(original.length - 1),
      size: fc.integer({ min: 1, max: 200 }),
    }),
    fc.record({ kind: fc.constant('put' as const), at: fc.nat(original.length - 1), byte: fc.nat(255) }),
  )
  type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never
  const mutate = (bytes: Buffer, change: Mutation): Buffer => {
    const { at } = change
    if (at >= bytes.length) return bytes
    switch (change.kind) {
      case 'flip': {
        const copy = Buffer.from(bytes)
        copy[at] = copy[at]! ^ (1 << change.bit)
        return copy
      }
      case 'put':
        return Buffer.concat([bytes.subarray(0, at), Buffer.of(change.byte), bytes.subarray(at + 1)])
      case 'cut':
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.size)])
      case 'repeat':
        return Buffer.concat([bytes.subarray(0, at + change.size), bytes.subarray(at)])
      case 'splice':
        return Buffer.concat([
          bytes.subarray(0, at),
          other.subarray(at, at + change.size),
          bytes.subarray(at + change.size),
        ])
    }
  }

  test('are never accepted with changed content, and never throw', { timeout: 30_000 }, () => {
    let accepted = 0
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (changes) => {
        const opened = open(changes.reduce(mutate, Buffer.from(original)))
        if (!opened.ok) return
        accepted++
        // The other document is as genuine: a splice may arrive at the whole of it.
        expect([note, { ...note, count: 4 }]).toContainEqual(opened.value.value)
      }),
      { numRuns: 20_000, seed: 20261124 },
    )
    expect(accepted).toBeLessThan(2000)
  })
})

describe('canonical bytes', () => {
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.maxSafeInteger().map((n) => n + 0),
      fc.string({ unit: 'binary' }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(
        fc.string({ maxLength: 4 }).filter((key) => key !== '__proto__'),
        tie('value'),
        { maxKeys: 4 },
      ),
    ),
  })).value

  test('are equal exactly when the values are', () => {
    const bytesOf = (value: unknown) => {
      const bytes = canonicalBytes(value)
      return bytes.ok ? Buffer.from(bytes.value).toString() : bytes.error
    }
    fc.assert(
      fc.property(json, json, (a, b) => {
        const isSame = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
        expect(bytesOf(a) === bytesOf(b)).toBe(isSame)
        expect(bytesOf(a)).toBe(bytesOf(sorted(a)))
      }),
      { numRuns: 2000 },
    )
  })

  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(sorted)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, inner]) => [key, sorted(inner)]),
    )
  }
})

describe('a release', () => {
  const object = { sha256: 'a'.repeat(64), length: 10 }
  const release = {
    _type: 'release',
    schema: 'release/1',
    family: 'valley',
    releaseCounter: 1,
    createdAt: '2026-05-14T05:30:00Z',
    compat: { opset: 21, minimumRuntime: '1.24.0', tokenizerDigest: 'b'.repeat(64) },
    manifest: object,
    objects: { model: object, vectors: object },
  }
  const judge = (changes: object) => {
    const opened = openRelease(signDocument({ ...release, ...changes }, [first]), trust)
    return opened.ok ? (opened.value.value satisfies Release).releaseCounter : opened.error.code
  }
  test('says nothing that is out of range', () => {
    expect(judge({})).toBe(1)
    expect(judge({ unknownField: 'covered by the signature, otherwise ignored' })).toBe(1)
    expect(judge({ releaseCounter: 0 })).toBe('wrong-content')
    expect(judge({ family: '../../etc' })).toBe('wrong-content')
    expect(judge({ manifest: { ...object, sha256: '../x' } })).toBe('wrong-content')
    expect(judge({ manifest: { ...object, length: 2 ** 40 } })).toBe('wrong-content')
    expect(judge({ createdAt: 'never' })).toBe('wrong-content')
  })
})

test('a trust file with a repeated key or an impossible threshold is refused', () => {
  const key = first.publicKey
  const fileOf = (keys: string[], threshold: number) => ({
    schema: 'trust/1',
    roles: { release: { keys, threshold }, director: { keys: [key], threshold: 1 } },
  })
  expect(trustSchema.safeParse(fileOf([key], 1)).success).toBe(true)
  expect(trustSchema.safeParse(fileOf([key, key], 2)).success).toBe(false)
  expect(trustSchema.safeParse(fileOf([key], 2)).success).toBe(false)
  expect(trustSchema.safeParse(fileOf([], 0)).success).toBe(false)
})
