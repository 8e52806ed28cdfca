/** kill -9 at any moment of an update: the station always starts with a whole model, and gets to the newest one. */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { activeModel } from '#edge/update/active-model.ts'
import { loadState, UPDATE_SCHEMA_SQL } from '#edge/update/tables.ts'
import { childEnvironment } from '#shared/platform/preflight.ts'
import { openDatabase } from '#shared/platform/sqlite.ts'
import { randomStream } from '#shared/std/random.ts'
import { exampleBundle } from '../support/example-bundle.ts'
import { COHORT, FAMILY, openUpdateWorld } from '../support/update-world.ts'

const CHILD = fileURLToPath(new URL('update-child.ts', import.meta.url))
const KILLS = 12
const SEED = 20261124

test('killed at any moment, a station never starts without a whole model', { timeout: 120_000 }, async () => {
  await using world = await openUpdateWorld()
  const random = randomStream(SEED, 'kills')
  const folder = join(world.folder, 'ridge')
  await mkdir(folder)

  const inspect = async () => {
    const database = openDatabase(join(folder, 'edge.db'), [UPDATE_SCHEMA_SQL])
    try {
      const { slot, attempt } = loadState(database, { family: FAMILY, cohort: COHORT })
      const model = await activeModel(database, folder, FAMILY)
      return { slot: slot.kind, kind: attempt?.kind ?? 'none', model: model?.releaseCounter ?? null }
    } finally {
      database.close()
    }
  }

  const killedIn = new Set<string>()
  let hadModel = false
  for (let round = 1; round <= KILLS; round++) {
    await world.target(await world.publish(exampleBundle(round, { modelBytes: 600_000 })))
    const child = start(world, folder)
    await child.started
    await sleep(random.index(250)) // the moment of the kill: a random time is what is tested
    await child.kill()
    const { slot, kind, model } = await inspect()
    killedIn.add(kind)
    if (slot !== 'empty') expect(model).not.toBeNull()
    if (hadModel) expect(slot).not.toBe('empty')
    hadModel ||= slot !== 'empty'
  }
  expect(killedIn.size).toBeGreaterThan(1)

  const last = await world.publish(exampleBundle(99, { modelBytes: 600_000 }))
  await world.target(last)
  const child = start(world, folder)
  await vi.waitFor(() => expect(child.state()).toBe(`active ${last.version}`), { timeout: 20_000 })
  await child.kill()
  expect(await inspect()).toEqual({ slot: 'good', kind: 'confirmed', model: last.releaseCounter })
})

const start = (world: Awaited<ReturnType<typeof openUpdateWorld>>, folder: string) => {
  const url = `mqtt://127.0.0.1:${world.proxy.port}`
  const child: ChildProcess = fork(CHILD, [folder, url, world.keys.trustFile], {
    env: childEnvironment(),
    execArgv: [],
  })
  let state = ''
  const started = Promise.withResolvers<void>()
  child.on(
    'message',
    (message: { readonly started?: true; readonly phase?: string; readonly installed?: string | null }) => {
      if (message.started) started.resolve()
      if (message.phase) state = `${message.phase} ${message.installed}`
    },
  )
  child.on('exit', (code) => started.reject(new Error(`the station ended with ${code}`)))
  return {
    started: started.promise,
    state: () => state,
    kill: async () => {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
    },
  }
}
