/** The station's one database: the stages' tables side by side, so that a transaction can span them. */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, holdFile, openDatabase, openReadOnly } from '#shared/platform/sqlite.ts'
import { OBSERVING_SCHEMA_SQL } from './observing/schema.ts'
import { OUTBOX_SCHEMA_SQL } from './outbox/schema.ts'
import { SPOOL_SCHEMA_SQL } from './spool/schema.ts'
import { UPDATE_SCHEMA_SQL } from './update/tables.ts'

/** Append, never edit what has been released. */
const EDGE_MIGRATIONS = [UPDATE_SCHEMA_SQL, SPOOL_SCHEMA_SQL, OBSERVING_SCHEMA_SQL, OUTBOX_SCHEMA_SQL]

export const databaseFile = (stateFolder: string): string => join(stateFolder, 'edge.db')

class StateFolderError extends Error {
  readonly code = 'in-use'
  readonly hint = 'stop the other station, or give this one a state folder of its own'
  constructor(message: string) {
    super(message)
    this.name = 'StateFolderError'
  }
}

/** Two stations on one folder would undo each other's updates. Throws a StateFolderError when another one has it. */
export const holdStateFolder = async (stateFolder: string): Promise<Disposable> => {
  await mkdir(stateFolder, { recursive: true })
  const held = holdFile(join(stateFolder, 'lock'))
  if (held === null) throw new StateFolderError(`another station is running on ${stateFolder}`)
  return held
}

export const openEdgeDatabase = async (stateFolder: string): Promise<Database> => {
  await mkdir(stateFolder, { recursive: true })
  return openDatabase(databaseFile(stateFolder), EDGE_MIGRATIONS)
}

/** For looking on beside the running station; null when there is none yet. */
export const readOnlyOrNull = (stateFolder: string): Database | null => {
  const file = databaseFile(stateFolder)
  if (!existsSync(file)) return null
  const database = openReadOnly(file)
  if (database.pragma('user_version', { simple: true }) !== 0) return database
  database.close() // a station that starts right now has not written its tables
  return null
}
