/** Registry → rollout → a real broker → stations: what is installed, what is refused, and what runs meanwhile. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { generatePrivateKey, signerOf } from '#shared/bundle/keys.ts'
import { signDocument } from '#shared/bundle/signed.ts'
import { exampleBundle } from '#test/support/example-bundle.ts'
import { COHORT, FAMILY, openUpdateWorld } from '#test/support/update-world.ts'
import { activeModel } from './active-model.ts'
import { missingUnits } from './units.ts'

type World = Awaited<ReturnType<typeof openUpdateWorld>>
type Station = Awaited<ReturnType<World['startStation']>>

let world: World
let stations: Station[]
beforeEach(async () => {
  world = await openUpdateWorld()
  stations = []
})
afterEach(async () => {
  for (const station of stations) await station.stop()
  await world[Symbol.asyncDispose]()
})
const start: World['startStation'] = async (...args) => {
  const station = await world.startStation(...args)
  stations.push(station)
  return station
}
const rollOut = async (seed: number, changes: Parameters<typeof exampleBundle>[1] = {}) => {
  const published = await world.publish(exampleBundle(seed, changes))
  await world.target(published)
  return published
}
const lastReport = ({ reports }: Station) => reports.at(-1)

describe('a station', () => {
  test('installs a model, keeps it when a worse one comes, and goes on to a better one', {
    timeout: 60_000,
  }, async () => {
    let verdict: { ok: true } | { ok: false; reason: string } = { ok: true }
    const tried: string[] = []
    const station = await start('ridge', {
      trial: async ({ manifest, modelFile, vectorsFile }) => {
        tried.push(manifest.files.model.sha256)
        expect(modelFile.endsWith(manifest.files.model.sha256)).toBe(true)
        expect(vectorsFile.endsWith(manifest.files.vectors.sha256)).toBe(true)
        return verdict
      },
    })
    expect(station.updater.model()).toBeNull()
    const first = await rollOut(1)
    await station.confirm(1)
    expect(station.updater.model()).toMatchObject({ version: first.version, releaseCounter: 1 })
    expect(await readFile(station.updater.model()!.modelFile)).toEqual(exampleBundle(1).model)
    expect(await activeModel(station.database, station.stateFolder)).toEqual(station.updater.model())

    verdict = { ok: false, reason: 'logit 3 differs by 0.2' }
    await rollOut(2)
    await station.attemptIs('rejected', 2)
    expect(lastReport(station)).toMatchObject({
      state: 'rejected',
      generation: 2,
      detail: 'trial-failed: logit 3 differs by 0.2',
    })
    expect(tried.filter((hash) => hash !== tried[0])).toHaveLength(2)
    expect(station.updater.model()?.releaseCounter).toBe(1)

    verdict = { ok: true }
    const third = await rollOut(3)
    await station.attemptIs('trial', 3)
    await vi.waitFor(() => expect(station.activated.at(-1)?.releaseCounter).toBe(3))
    station.updater.modelServed(first.version) // answers of the old model don't count for the new one
    station.updater.modelServed(first.version)
    expect(station.updater.state().slot.kind).toBe('trial')
    await station.confirm(3)

    await rollOut(4)
    await station.attemptIs('trial', 4)
    await vi.waitFor(() => expect(station.activated.at(-1)?.releaseCounter).toBe(4))
    station.updater.modelFailed(station.updater.model()!.version, 'the session could not be created')
    await station.attemptIs('wentBack', 4)
    await vi.waitFor(() => expect(station.activated.at(-1)?.version).toBe(third.version))
    expect(lastReport(station)).toMatchObject({
      state: 'wentBack',
      detail: 'failed-to-serve: the session could not be created',
    })
    expect(station.modelStates.at(-1)).toMatchObject({ phase: 'rolled_back', installed: third.version })
    expect(station.activated.map((model) => model?.releaseCounter)).toEqual([1, 3, 4, 3])

    // Only what may still be needed lies on the disk: model, vectors and manifest of the one that runs.
    await vi.waitFor(async () => expect(await readdir(join(station.stateFolder, 'models'))).toHaveLength(3))
  })

  test('downloads through a link that keeps breaking, losing a small window a break', { timeout: 60_000 }, async () => {
    const station = await start('ridge')
    world.proxy.cutEvery(100_000)
    const { release } = await rollOut(1, { modelBytes: 1_000_000 })
    await station.attemptIs('trial', 1, 50_000)
    expect(world.proxy.cuts()).toBeGreaterThan(5)
    const { manifest, objects } = release
    const needed = [manifest, objects.model, objects.vectors].reduce(
      (sum, { length }) => sum + Math.ceil(length / 4096),
      1,
    )
    const { unitsSent } = world.rollout.counts()
    // A break costs what was on its way, which is at most a window; the window shrinks with the breaks.
    expect((unitsSent - needed) / world.proxy.cuts()).toBeLessThan(16)
    expect(
      station.modelStates.some(({ phase, progress }) => phase === 'downloading' && progress > 0.2 && progress < 0.9),
    ).toBe(true)
  })

  test('goes on after a restart without asking again for what it holds', { timeout: 60_000 }, async () => {
    const before = await start('ridge')
    world.proxy.cutEvery(150_000)
    const { release } = await rollOut(1, { modelBytes: 1_500_000 })
    const { model } = release.objects
    const units = Math.ceil(model.length / 4096)
    const missing = (station: Station): readonly number[] => {
      const sql = 'SELECT received FROM part WHERE object = ?'
      const row = station.database.prepare<[string], { received: Buffer }>(sql).get(model.sha256)
      return row ? missingUnits(row.received, units) : []
    }
    await vi.waitFor(
      () => {
        expect(missing(before).length).toBeGreaterThan(0)
        expect(missing(before).length).toBeLessThan(units * 0.7)
      },
      { timeout: 30_000, interval: 2 },
    )
    await before.stop()
    world.proxy.cutEvery(null)
    const askedBefore = world.asked.length
    const after = await start('ridge', { link: null })
    const left = missing(after)
    expect(left.length).toBeLessThan(units * 0.7)
    await after.stop()
    const again = await start('ridge')
    await again.confirm(1)
    const prefix = model.sha256.slice(0, 8)
    const asked = new Set(world.asked.slice(askedBefore).filter((unit) => unit.startsWith(prefix)))
    expect([...asked].sort()).toEqual(left.map((unit) => `${prefix}:${unit}`).sort())
    expect(await readFile(again.updater.model()!.modelFile)).toEqual(exampleBundle(1, { modelBytes: 1_500_000 }).model)
  })

  test('drops a download for a newer release', { timeout: 60_000 }, async () => {
    const station = await start('ridge')
    const first = await world.publish(exampleBundle(1, { modelBytes: 500_000 }))
    await rm((await world.registry.blob(first.release.objects.model.sha256))!.file)
    await world.target(first)
    await station.attemptIs('downloading', 1)
    await rollOut(2)
    await station.confirm(2)
    expect(station.updater.state().floor?.counter).toBe(2)
  })
})

describe('with a good model running, a station refuses', () => {
  let station: Station
  beforeEach(async () => {
    station = await start('ridge')
    await rollOut(1)
    await station.confirm(1)
    await rollOut(2)
    await station.confirm(2)
  })
  afterEach(() => {
    expect(station.updater.model()?.releaseCounter).toBe(2)
    expect(station.activated.map((model) => model?.releaseCounter)).toEqual([1, 2])
  })
  const refusal = (state: string, detail: RegExp) =>
    vi.waitFor(
      () => {
        const found = station.reports.find((row) => row.state === state && detail.test(row.detail))
        if (found === undefined) throw new Error(`no such report among ${JSON.stringify(station.reports)}`)
      },
      { timeout: 10_000 },
    )
  const release = { sha256: 'a'.repeat(64), length: 500 }
  const desiredOf = (changes: object) => ({
    _type: 'desired',
    schema: 'desired/1',
    generation: 3,
    cohort: COHORT,
    family: FAMILY,
    release,
    releaseCounter: 3,
    ...changes,
  })
  const send = (document: object, signer = world.keys.director) =>
    world.cloudLink.publish(world.topics.desired(COHORT, FAMILY), signDocument(document, [signer]), { retain: true })

  test('a file whose bytes are not what was signed', async () => {
    const published = await world.publish(exampleBundle(3))
    const blob = await world.registry.blob(published.release.objects.model.sha256)
    const bytes = await readFile(blob!.file)
    bytes[5000] = bytes[5000]! ^ 1
    await writeFile(blob!.file, bytes)
    await world.target(published)
    await refusal('rejected', /^corrupt-object/)
  })

  test('a release that the owners have not signed', async () => {
    const stranger = signerOf(generatePrivateKey())
    const published = await world.publish(exampleBundle(3))
    const forged = signDocument(published.release, [stranger])
    const { sha256Hex } = await import('#shared/bundle/hash.ts')
    const document = { sha256: sha256Hex(forged), length: forged.length }
    await writeFile(join(world.folder, 'registry/blobs', document.sha256), forged)
    await world.target({ ...published, document })
    await refusal('rejected', /^bad-release: too-few-signatures/)
    expect(station.updater.state().quarantine).toBeNull()
  })

  test('a release whose counter is not the one that was asked for', async () => {
    const published = await world.publish(exampleBundle(3))
    await world.target({ ...published, releaseCounter: 99 })
    await refusal('rejected', /^wrong-counter/)
  })

  test('a model that needs tokens it can not make, before its weights are fetched', async () => {
    const published = await rollOut(3, { tokenizerDigest: 'f'.repeat(64) })
    await refusal('rejected', /^tokenizer/)
    const prefix = published.release.objects.model.sha256.slice(0, 8)
    expect(world.asked.filter((unit) => unit.startsWith(prefix))).toEqual([])
  })

  test('a model that needs a newer runtime', async () => {
    const { graph } = JSON.parse(exampleBundle(3).manifest.toString())
    await rollOut(3, { graph: { ...graph, minimumRuntime: '1.31.0' } })
    await refusal('rejected', /^incompatible: needs ONNX Runtime 1\.31\.0/)
  })

  test('desired states that are forged, foreign, older, or contradict one another', async () => {
    await send(desiredOf({}), signerOf(generatePrivateKey()))
    await refusal('refused', /^too-few-signatures/)
    await send(desiredOf({}), world.keys.release)
    await send(desiredOf({ cohort: 'canary' }))
    await refusal('refused', /^foreign-cohort/)
    await send(desiredOf({ generation: 1 }))
    await refusal('refused', /^older-generation/)
    await send(desiredOf({ generation: 2 }))
    await refusal('refused', /^equivocation/)
    await send({ ...desiredOf({}), _type: 'release' })
    await refusal('refused', /^wrong-content/)
    expect(station.updater.state().desired?.generation).toBe(2)
  })

  test('an older release, though the director asks for it', async () => {
    await send(desiredOf({ releaseCounter: 1 }))
    await refusal('rejected', /^older-release/)
  })

  test('to forget any of this at a restart', async () => {
    await station.stop()
    const again = await start('ridge')
    await send(desiredOf({ generation: 1 }))
    await vi.waitFor(() => expect(again.reports.some(({ detail }) => detail.startsWith('older-generation'))).toBe(true))
    expect(again.updater.model()?.releaseCounter).toBe(2)
    expect(again.activated).toEqual([])
  })
})

describe('at its start a station', () => {
  const damage = async (file: string) => {
    const bytes = await readFile(file)
    bytes[10] = bytes[10]! ^ 1
    await writeFile(file, bytes)
  }

  test('falls back to the previous model when the files of the active one are damaged, and heals', {
    timeout: 60_000,
  }, async () => {
    const station = await start('ridge')
    await rollOut(1)
    await station.confirm(1)
    await rollOut(2)
    await station.confirm(2)
    await station.stop()
    await damage(station.updater.model()!.modelFile)
    const alone = await start('ridge', { link: null })
    expect(alone.updater.model()?.releaseCounter).toBe(1)
    expect(lastReport(alone)).toMatchObject({ state: 'wentBack', detail: expect.stringMatching(/^slot-broken/) })
    await alone.stop()
    const healed = await start('ridge')
    await healed.confirm(2)
    expect(await readFile(healed.updater.model()!.modelFile)).toEqual(exampleBundle(2).model)
  })

  test('runs without a model when none is whole', async () => {
    const station = await start('ridge')
    await rollOut(1)
    await station.confirm(1)
    await station.stop()
    await damage(station.updater.model()!.vectorsFile)
    const alone = await start('ridge', { link: null })
    expect(alone.updater.model()).toBeNull()
    expect(await activeModel(alone.database, alone.stateFolder)).toBeNull()
  })

  test('goes back when the third start finds the new model still undecided', async () => {
    const station = await start('ridge')
    await rollOut(1)
    await station.confirm(1)
    await rollOut(2)
    await station.attemptIs('trial', 2)
    await station.stop()
    const seen: (number | undefined)[] = []
    for (let i = 0; i < 3; i++) {
      const again = await start('ridge', { link: null })
      seen.push(again.updater.model()?.releaseCounter)
      await again.stop()
    }
    expect(seen).toEqual([2, 2, 1])
  })
})
