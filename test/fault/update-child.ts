/** A station's updater as a process of its own, to be killed. Arguments: state folder, broker's URL, trust file. */
import '#shared/platform/preflight.ts'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ActiveModel } from '#edge/update/active-model.ts'
import { UPDATE_SCHEMA_SQL } from '#edge/update/tables.ts'
import { startUpdater } from '#edge/update/updater.ts'
import { trustSchema } from '#shared/bundle/keys.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openMqttLink } from '#shared/platform/mqtt-link.ts'
import { openDatabase } from '#shared/platform/sqlite.ts'
import { systemClock } from '#shared/platform/system-clock.ts'
import { cloudTopics } from '#shared/wire/topics.ts'
import { EXAMPLE_DIGEST } from '../support/example-bundle.ts'

const [, , folder = '', url = '', trustFile = ''] = process.argv
const log = silentLog()
const say = (message: object) => void process.send?.(message)

/** The model answers a little after it has been loaded. */
const serve = async (model: ActiveModel | null): Promise<void> => {
  if (model === null) return
  await sleep(10)
  updater.modelServed(model.version)
}

const updater = await startUpdater({
  database: openDatabase(join(folder, 'edge.db'), [UPDATE_SCHEMA_SQL]),
  folder,
  link: openMqttLink({ url, clientId: 'ridge', log, jitter: () => 0.05 }),
  topics: cloudTopics('us'),
  trust: trustSchema.parse(JSON.parse(await readFile(trustFile, 'utf8'))),
  node: 'ridge',
  cohort: 'all',
  family: 'valley',
  runtimeVersion: '1.30.0',
  tokenizerDigest: () => EXAMPLE_DIGEST,
  trial: async () => {
    await sleep(10)
    return { ok: true }
  },
  onActivated: (model) => void serve(model),
  onModelState: ({ phase, installed }) => say({ phase, installed }),
  report: () => {},
  clock: systemClock,
  log,
  answersToConfirm: 1,
  unitBytes: 4096,
  silenceMs: 100,
  retryMs: 5,
})
say({ started: true })
void serve(updater.model())
