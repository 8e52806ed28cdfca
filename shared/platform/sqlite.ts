/**
 * The one door to SQLite. WAL with synchronous=FULL, set after every open and read back:
 * better-sqlite3 is compiled so that a reopened WAL database stands at NORMAL, which loses
 * acknowledged rows at a power cut.
 */
import Sqlite from 'better-sqlite3'

export type Database = Sqlite.Database

class DatabaseError extends Error {
  readonly code = 'database'
  readonly hint: string
  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DatabaseError'
    this.hint = hint
  }
}

/**
 * Opens (or makes) a database and brings its schema up to date. `migrations[i]` takes version i to
 * i + 1 (`user_version`); all pending ones run in one transaction. A file newer than this program is refused.
 */
export const openDatabase = (file: string, migrations: readonly string[]): Database => {
  const database = openFile(file, 'journal_mode = WAL')
  database.pragma('synchronous = FULL')
  database.pragma('foreign_keys = ON')
  database.pragma('temp_store = MEMORY')
  database.pragma('busy_timeout = 5000')
  database.pragma('wal_autocheckpoint = 1000')
  database.pragma('journal_size_limit = 8388608')
  const synchronous = database.pragma('synchronous', { simple: true })
  if (synchronous !== 2) {
    database.close()
    throw new DatabaseError(`${file}: synchronous is ${synchronous}, not FULL`, 'check how better-sqlite3 was built')
  }
  migrate(database, file, migrations)
  return database
}

/** `pragma` is one that reads the file, so that damage shows here. */
const openFile = (file: string, pragma: string, options: Sqlite.Options = {}): Database => {
  let database: Database | undefined
  try {
    database = new Sqlite(file, options)
    database.pragma(pragma)
    return database
  } catch (cause) {
    database?.close()
    if (isPassingFailure(cause)) throw cause
    const hint = 'keep a copy of it and move it away; a new one is made at the next start'
    throw new DatabaseError(`${file} is no intact database`, hint, { cause })
  }
}

/**
 * Takes a file for this process alone, until disposed of or until the process ends, however it ends. Null when
 * another one has it. It is made when absent, and stays empty.
 */
export const holdFile = (file: string): Disposable | null => {
  const holder = new Sqlite(file, { timeout: 0 })
  try {
    holder.exec('BEGIN EXCLUSIVE')
    return { [Symbol.dispose]: () => void holder.close() }
  } catch (cause) {
    holder.close()
    if (cause instanceof Error && 'code' in cause && cause.code === 'SQLITE_BUSY') return null
    throw cause
  }
}

/** A full or busy disk may recover. Anything else (a damaged file, a bug) is not mended by waiting. */
export const isPassingFailure = (cause: unknown): boolean =>
  cause instanceof Error &&
  'code' in cause &&
  typeof cause.code === 'string' &&
  /^(SQLITE_(BUSY|LOCKED|FULL|IOERR|NOMEM|CANTOPEN|READONLY)|ENOSPC$|EDQUOT$|EMFILE$|ENFILE$)/.test(cause.code)

/** Opens an existing database for reading beside its writer (status, reports). */
export const openReadOnly = (file: string): Database =>
  openFile(file, 'schema_version', { readonly: true, fileMustExist: true })

const migrate = (database: Database, file: string, migrations: readonly string[]) => {
  const version = database.pragma('user_version', { simple: true }) as number
  if (version > migrations.length) {
    database.close()
    throw new DatabaseError(
      `${file} has schema ${version}, this program knows ${migrations.length}`,
      'it was written by a newer version: update this program, or use another state folder',
    )
  }
  database.transaction(() => {
    for (const sql of migrations.slice(version)) database.exec(sql)
    database.pragma(`user_version = ${migrations.length}`)
  })()
}
