import { describe, expect, test } from 'vitest'
import { sha256Hex } from '#shared/bundle/hash.ts'
import { generatePrivateKey, signerOf, type Trust } from '#shared/bundle/keys.ts'
import { modelVersion } from '#shared/bundle/release.ts'
import { signDocument } from '#shared/bundle/signed.ts'
import { EXAMPLE_DIGEST, exampleBundle } from '#test/support/example-bundle.ts'
import { compareVersions, judgeDesired, judgeManifest, judgeRelease, MAX_DESIRED_BYTES } from './judge.ts'

const signer = signerOf(generatePrivateKey())
const role = { keys: [signer.publicKey], threshold: 1 }
const trust: Trust = { schema: 'trust/1', roles: { release: role, director: role } }

const { manifest, model, vectors } = exampleBundle(1, { modelBytes: 1000 })
const refOf = (bytes: Uint8Array) => ({ sha256: sha256Hex(bytes), length: bytes.length })
const release = {
  _type: 'release',
  schema: 'release/1',
  family: 'valley',
  releaseCounter: 7,
  createdAt: '2026-05-14T05:30:00Z',
  compat: { opset: 21, minimumRuntime: '1.24.0', tokenizerDigest: EXAMPLE_DIGEST },
  manifest: refOf(manifest),
  objects: { model: refOf(model), vectors: refOf(vectors) },
}

describe('a release', () => {
  const judge = (changes: object, host: object = {}) => {
    const bytes = signDocument({ ...release, ...changes }, [signer])
    const context = {
      trust,
      family: 'valley',
      tenant: 'reserve',
      releaseCounter: 7,
      runtimeVersion: '1.30.0',
      memoryBytes: 1e9,
    }
    const judged = judgeRelease(refOf(bytes), bytes, { ...context, ...host })
    return judged.ok ? judged.value.version : judged.error
  }
  const version = modelVersion('valley', release.manifest)
  const compat = (changes: object) => ({ compat: { ...release.compat, ...changes } })
  const cases: readonly (readonly [string, object, object, RegExp | string])[] = [
    ['that fits', {}, {}, version],
    ['of this tenant', { tenant: 'reserve' }, {}, version],
    ['of another tenant', { tenant: 'other' }, {}, /^foreign-tenant/],
    ['of another family', { family: 'coast' }, {}, /^foreign-family/],
    ['of another counter', { releaseCounter: 8 }, {}, /^wrong-counter/],
    ['for a newer operator set', compat({ opset: 27 }), {}, /^incompatible: operator set 27/],
    ['for a newer runtime', {}, { runtimeVersion: '1.23.9' }, /^incompatible: needs ONNX Runtime 1\.24\.0/],
    ['that needs more memory', compat({ memoryBytes: 2e9 }), {}, /^incompatible: needs 2000000000 bytes/],
    ['that needs this much memory', compat({ memoryBytes: 1e9 }), {}, version],
  ]
  test.each(cases)('%s', (_, changes, host, expected) => {
    expect(judge(changes, host)).toEqual(typeof expected === 'string' ? expected : expect.stringMatching(expected))
  })
})

describe('a manifest', () => {
  const bundle = {
    release: sha256Hex('release'),
    releaseCounter: 7,
    version: modelVersion('valley', release.manifest),
    manifest: release.manifest,
    ...release.objects,
  }
  const judge = (bytes: Uint8Array, changes: object = {}, digest: string = EXAMPLE_DIGEST) => {
    const judged = judgeManifest(bytes, { ...bundle, ...changes }, { family: 'valley', tokenizerDigest: () => digest })
    return judged.ok ? judged.value.family : judged.error
  }
  test('must be one, of this family, of these files, for these tokens', () => {
    expect(judge(manifest)).toBe('valley')
    expect(judge(Buffer.from('{'))).toMatch(/no manifest/)
    expect(judge(Buffer.from('{"schema":"manifest/1"}'))).toMatch(/no manifest/)
    expect(judge(exampleBundle(1, { modelBytes: 1000, family: 'coast' }).manifest)).toMatch(/of family coast/)
    expect(judge(exampleBundle(2, { modelBytes: 1000 }).manifest)).toMatch(/another model file/)
    expect(judge(manifest, { vectors: bundle.model })).toMatch(/another vectors file/)
    expect(judge(manifest, { model: { ...bundle.model, length: 999 } })).toMatch(/another model file/)
    expect(judge(manifest, {}, 'other')).toMatch(/^tokenizer/)
  })
})

describe('a desired state', () => {
  const desired = {
    _type: 'desired',
    schema: 'desired/1',
    generation: 5,
    cohort: 'all',
    family: 'valley',
    release: refOf(manifest),
    releaseCounter: 7,
  }
  const judge = (changes: object, seen: Parameters<typeof judgeDesired>[1]['seen'] = null) =>
    judgeDesired(signDocument({ ...desired, ...changes }, [signer]), { trust, cohort: 'all', family: 'valley', seen })

  test('is taken when it is newer, ignored when known, refused when it contradicts', () => {
    const first = judge({})
    expect(first).toMatchObject({
      kind: 'newer',
      desired: { generation: 5, release: refOf(manifest), releaseCounter: 7 },
    })
    const seen = first.kind === 'newer' ? first.desired : null
    expect(judge({}, seen)).toEqual({ kind: 'known' })
    expect(judge({ generation: 6 }, seen)).toMatchObject({ kind: 'newer' })
    expect(judge({ releaseCounter: 8 }, seen)).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching(/^equivocation/),
    })
    expect(judge({ generation: 4 }, seen)).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching(/^older-generation/),
    })
    expect(judge({ family: 'coast' })).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching(/^foreign-cohort/),
    })
    expect(judge({ padding: 'x'.repeat(MAX_DESIRED_BYTES) })).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching(/^too-long/),
    })
  })
})

test('versions compare by number', () => {
  const signs = [
    ['1.30.0', '1.24.0'],
    ['1.9.0', '1.24.0'],
    ['1.24.3', '1.24.3'],
    ['1.24.3-rc.1', '1.24.2'],
    ['2.0.0', '1.99.99'],
  ].map(([a, b]) => Math.sign(compareVersions(a!, b!)))
  expect(signs).toEqual([1, -1, 0, 1, 1])
})
