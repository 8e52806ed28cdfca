/** The cloud's intake and rollout as a process of its own, to be killed. Argument: its options as JSON. */
import '#shared/platform/preflight.ts'
import { ensureKeys } from '#cloud/registry/keys.ts'
import { silentLog } from '#shared/platform/log.ts'
import { openStationCloud } from '../integration/station-cloud.ts'

const { keysFolder, ...options } = JSON.parse(process.argv[2] ?? '{}')
const { director } = await ensureKeys(keysFolder)
await openStationCloud({
  ...options,
  director,
  log: silentLog(),
  onBroken: (cause) => {
    throw cause
  },
})
process.on('disconnect', () => process.exit(0))
