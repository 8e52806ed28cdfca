/** Everything that must be right for a station to work, checked now, with what to do about what is not. */

import type { Log } from '#shared/platform/log.ts'
import type { StationConfig } from './config.ts'
import { readOnlyOrNull } from './database.ts'
import { type Check, fail, okay, warn } from './health/check.ts'
import { checkClock, checkRoom, checkSync } from './health/disk-checks.ts'
import { checkLink } from './health/link-check.ts'
import { checkNative, checkNode } from './health/native-checks.ts'
import { listSensorsSeen } from './spool/readings.ts'

export const examine = async (config: StationConfig, { log, nowMs }: { readonly log: Log; readonly nowMs: number }) => {
  const { broker, cloud, node, stateFolder, trust, sensors, inference } = config
  // A name of its own: with the station's the broker would throw the running station out.
  const clientId = `${node}-doctor-${process.pid}`
  const { check: databaseCheck, newestMs } = checkDatabase(stateFolder)
  const checks: Check[] = [
    checkNode(),
    ...(await checkNative(inference.provider)),
    await checkRoom(stateFolder),
    await checkSync(stateFolder),
    databaseCheck,
    checkClock(nowMs, newestMs),
    okay('trust', `${trust.roles.release.keys.length} release and ${trust.roles.director.keys.length} director keys`),
    sensors.length > 0
      ? okay('sensors', `${sensors.length} configured`)
      : warn('sensors', 'none configured', 'name the sensors, or messages of all of them are rejected'),
    await checkLink({ name: 'broker', url: broker, clientId, isNeeded: true, log }),
  ]
  if (cloud === null) checks.push(okay('cloud', 'none configured: this station keeps to itself'))
  else checks.push(await checkLink({ name: 'cloud', url: cloud, clientId, isNeeded: false, log }))
  return checks
}

const checkDatabase = (stateFolder: string): { readonly check: Check; readonly newestMs: number | null } => {
  try {
    const database = readOnlyOrNull(stateFolder)
    if (database === null) return { check: okay('database', 'none yet: made at the first start'), newestMs: null }
    using _ = { [Symbol.dispose]: () => void database.close() }
    const verdict = database.pragma('quick_check(1)', { simple: true })
    const newestMs = Math.max(0, ...listSensorsSeen(database).map(({ lastReceivedAtMs }) => lastReceivedAtMs)) || null
    return verdict === 'ok'
      ? { check: okay('database', 'intact'), newestMs }
      : {
          check: fail('database', String(verdict), 'stop the station, keep a copy of edge.db, then salvage it'),
          newestMs,
        }
  } catch (cause) {
    return { check: fail('database', String(cause), 'stop the station and keep a copy of edge.db'), newestMs: null }
  }
}
