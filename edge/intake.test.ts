import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Subject } from 'rxjs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { sha256Hex } from '#shared/bundle/hash.ts'
import type { ReadingId } from '#shared/domain/ids.ts'
import { silentLog } from '#shared/platform/log.ts'
import type { Delivery } from '#shared/platform/mqtt-link.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { err, ok } from '#shared/std/result.ts'
import { exampleReading } from '#test/support/station-rows.ts'
import { type Intake, type IntakeOptions, startIntake } from './intake.ts'
import type { StoredGroup } from './pipeline.ts'
import { openMediaFolder } from './spool/media-folder.ts'

class FullError extends Error {
  readonly code = 'SQLITE_FULL'
}

let folder: string
let intake: Intake | undefined
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'intake-'))
})
afterEach(async () => {
  await intake?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const NOTHING: StoredGroup = { ids: new Map(), newReadings: 0, duplicates: 0, changes: [] }

/** Payloads are ids; "bad" is no reading, and an id that begins with "media" has a raw file of its own name. */
const start = async (changes: Partial<IntakeOptions> = {}) => {
  const source$ = new Subject<Delivery>()
  const happened: string[] = []
  intake = startIntake({
    source$,
    parse: async (topic, payload) => {
      const id = Buffer.from(payload).toString()
      if (id === 'bad') return err({ reason: 'malformed-json', detail: '', topic, receivedAtMs: 0, payload })
      const media = id.startsWith('media') ? payload : null
      return ok({
        media,
        reading: exampleReading({
          id: id as ReadingId,
          media: media && { sha256: sha256Hex(media), mediaType: 'audio/wav' },
        }),
      })
    },
    media: await openMediaFolder(folder),
    store: (group) => {
      happened.push(`stored ${group.map((it) => (it.ok ? it.value.id : it.error.reason)).join()}`)
      return NOTHING
    },
    onStored: (_, rejected) => happened.push(`told ${rejected.length}`),
    onBroken: (cause) => happened.push(`broken ${cause}`),
    clock: systemClock,
    log: silentLog(),
    firstRetryMs: 2,
    ...changes,
  })
  const deliver = (id: string) =>
    source$.next({
      topic: 't',
      payload: Buffer.from(id),
      retained: false,
      ack: () => happened.push(`ack ${id}`),
    })
  return { source$, happened, deliver }
}

test('a burst is one commit, then acknowledged in order', async () => {
  const { happened, deliver } = await start()
  for (const id of ['a', 'bad', 'b']) deliver(id)
  await vi.waitFor(() => expect(happened).toHaveLength(5))
  expect(happened).toEqual(['stored a,malformed-json,b', 'ack a', 'ack bad', 'ack b', 'told 1'])
})

test('between two messages of a group the event loop turns', async () => {
  let turns = 0
  const timer = setInterval(() => turns++, 1)
  const seen: number[] = []
  const { happened, deliver } = await start({
    parse: async (topic, payload) => {
      seen.push(turns)
      for (const end = performance.now() + 5; performance.now() < end; ); // sound
      return err({ reason: 'malformed-json', detail: '', topic, receivedAtMs: 0, payload })
    },
  })
  for (const id of ['a', 'b', 'c']) deliver(id)
  await vi.waitFor(() => expect(happened).toContain('ack c'))
  clearInterval(timer)
  expect(new Set(seen).size).toBe(3)
  expect(happened[0]).toBe('stored malformed-json,malformed-json,malformed-json')
})

test('raw files are on disk under their hash before the commit, once', async () => {
  const names = (id: string) => join(folder, sha256Hex(Buffer.from(id)))
  let atCommit = ''
  const { happened, deliver } = await start({
    store: () => {
      happened.push('stored')
      return NOTHING
    },
    media: {
      ...(await openMediaFolder(folder)),
      keep: async (files) => {
        await (await openMediaFolder(folder)).keep(files)
        atCommit = await readFile(names('media 1'), 'utf8')
        happened.push(`kept ${files.length}`)
      },
    },
  })
  for (const id of ['media 1', 'media 1', 'x']) deliver(id)
  await vi.waitFor(() => expect(happened).toContain('ack x'))
  expect(happened.slice(0, 2)).toEqual(['kept 2', 'stored'])
  expect(atCommit).toBe('media 1')
})

test('nothing is acknowledged while the disk is full, and nothing is lost', async () => {
  let failures = 3
  const { happened, deliver } = await start({
    store: () => {
      if (failures-- > 0) throw new FullError('disk full')
      happened.push('stored')
      return NOTHING
    },
  })
  deliver('a')
  await vi.waitFor(() => expect(happened).toEqual(['stored', 'ack a', 'told 0']))
})

test('a failure that waiting does not mend stops the intake and is told once', async () => {
  const { happened, deliver } = await start({
    store: () => {
      throw new TypeError('a bug')
    },
  })
  deliver('a')
  await vi.waitFor(() => expect(happened).toEqual(['broken TypeError: a bug']))
  deliver('b')
  await intake?.[Symbol.asyncDispose]()
  expect(happened).toEqual(['broken TypeError: a bug'])
})
