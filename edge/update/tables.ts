/** The update machine's state as rows of the station's database. One call is one transaction: all of it or nothing. */
import type { ModelVersion, Sha256 } from '#shared/domain/ids.ts'
import type { Database } from '#shared/platform/sqlite.ts'
import { assert } from '#shared/std/assert.ts'
import { type Attempt, activeOf, type BundleRef, bundleOf, previousOf, type Slot, type UpdateState } from './state.ts'

/** One migration of the station's database. */
export const UPDATE_SCHEMA_SQL = `
CREATE TABLE IF NOT EXISTS bundle (
  release TEXT PRIMARY KEY, releaseCounter INTEGER NOT NULL, version TEXT NOT NULL,
  manifest TEXT NOT NULL, manifestLength INTEGER NOT NULL,
  model TEXT NOT NULL, modelLength INTEGER NOT NULL,
  vectors TEXT NOT NULL, vectorsLength INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS desired_seen (
  cohort TEXT NOT NULL, family TEXT NOT NULL, generation INTEGER NOT NULL, document TEXT NOT NULL,
  release TEXT NOT NULL, releaseLength INTEGER NOT NULL, releaseCounter INTEGER NOT NULL,
  PRIMARY KEY (cohort, family)
) STRICT;
CREATE TABLE IF NOT EXISTS slot (
  family TEXT PRIMARY KEY, active TEXT NOT NULL REFERENCES bundle(release), previous TEXT REFERENCES bundle(release),
  trial INTEGER NOT NULL, trialBoots INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS attempt (
  family TEXT PRIMARY KEY, cohort TEXT NOT NULL, kind TEXT NOT NULL, generation INTEGER NOT NULL,
  release TEXT NOT NULL, releaseLength INTEGER NOT NULL, releaseCounter INTEGER NOT NULL,
  bundle TEXT REFERENCES bundle(release), steps INTEGER NOT NULL, corruptions INTEGER NOT NULL,
  probes INTEGER NOT NULL, reason TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS release_floor (family TEXT PRIMARY KEY, counter INTEGER NOT NULL, release TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS quarantine (
  family TEXT PRIMARY KEY, counter INTEGER NOT NULL, release TEXT NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS part (
  object TEXT PRIMARY KEY, length INTEGER NOT NULL, unitBytes INTEGER NOT NULL, received BLOB NOT NULL,
  stored INTEGER NOT NULL
) STRICT;
`

type BundleRow = {
  release: Sha256
  releaseCounter: number
  version: ModelVersion
  manifest: Sha256
  manifestLength: number
  model: Sha256
  modelLength: number
  vectors: Sha256
  vectorsLength: number
}
type SlotRow = { active: string; previous: string | null; trial: number; trialBoots: number }
type AttemptRow = {
  cohort: string
  kind: string
  generation: number
  release: Sha256
  releaseLength: number
  releaseCounter: number
  bundle: string | null
  steps: number
  corruptions: number
  probes: number
  reason: string | null
}
type DesiredRow = {
  generation: number
  document: Sha256
  release: Sha256
  releaseLength: number
  releaseCounter: number
}

/** The families that have a slot here. */
export const familiesOf = (database: Database): readonly string[] =>
  database
    .prepare<[], { family: string }>('SELECT family FROM slot ORDER BY family')
    .all()
    .map(({ family }) => family)

/** Generations count within a cohort, so a station moved to another one starts there with nothing seen. */
export type Key = { readonly family: string; readonly cohort: string }

export const loadState = (database: Database, { family, cohort }: Key): UpdateState => {
  const row = <T>(sql: string) => database.prepare<[string], T>(sql).get(family)
  const desired = database
    .prepare<[string, string], DesiredRow>('SELECT * FROM desired_seen WHERE family = ? AND cohort = ?')
    .get(family, cohort)
  const attempt = row<AttemptRow>('SELECT * FROM attempt WHERE family = ?')
  return {
    desired: desired
      ? {
          generation: desired.generation,
          document: desired.document,
          release: { sha256: desired.release, length: desired.releaseLength },
          releaseCounter: desired.releaseCounter,
        }
      : null,
    attempt: attempt?.cohort === cohort ? loadAttempt(database, attempt) : null,
    slot: loadSlot(database, family),
    floor:
      row<{ counter: number; release: Sha256 }>('SELECT counter, release FROM release_floor WHERE family = ?') ?? null,
    quarantine:
      row<{ counter: number; release: Sha256; reason: string }>(
        'SELECT counter, release, reason FROM quarantine WHERE family = ?',
      ) ?? null,
  }
}

const loadBundle = (database: Database, release: string): BundleRef => {
  const row = database.prepare<[string], BundleRow>('SELECT * FROM bundle WHERE release = ?').get(release)
  assert(row !== undefined, 'a row names a bundle that is not there', { release })
  return {
    release: row.release,
    releaseCounter: row.releaseCounter,
    version: row.version,
    manifest: { sha256: row.manifest, length: row.manifestLength },
    model: { sha256: row.model, length: row.modelLength },
    vectors: { sha256: row.vectors, length: row.vectorsLength },
  }
}

export const loadSlot = (database: Database, family: string): Slot => {
  const row = database.prepare<[string], SlotRow>('SELECT * FROM slot WHERE family = ?').get(family)
  if (row === undefined) return { kind: 'empty' }
  const active = loadBundle(database, row.active)
  const previous = row.previous === null ? null : loadBundle(database, row.previous)
  return row.trial === 1
    ? { kind: 'trial', active, previous, boots: row.trialBoots }
    : { kind: 'good', active, previous }
}

const loadAttempt = (database: Database, row: AttemptRow): Attempt => {
  const { kind, generation, releaseCounter, steps, corruptions, probes } = row
  const goal = { generation, releaseCounter, steps, release: { sha256: row.release, length: row.releaseLength } }
  const reason = row.reason ?? ''
  if (kind === 'resolving') return { ...goal, kind }
  const bundle = row.bundle === null ? null : loadBundle(database, row.bundle)
  if (kind === 'rejected') return { ...goal, kind, bundle, reason }
  assert(bundle !== null, 'an attempt without its bundle', { kind })
  if (kind === 'downloading' || kind === 'activating') return { ...goal, kind, bundle, corruptions }
  if (kind === 'verified') return { ...goal, kind, bundle, corruptions, probes, lastFailure: row.reason }
  if (kind === 'wentBack') return { ...goal, kind, bundle, reason }
  assert(kind === 'trial' || kind === 'confirmed', 'an attempt of an unknown kind', { kind })
  return { ...goal, kind, bundle }
}

/** Writes the state; `alongside` is run within the same transaction, for what must be told exactly when this is true. */
export const saveState = (
  database: Database,
  { family, cohort }: Key,
  state: UpdateState,
  alongside: () => void,
): void => {
  database.transaction(() => {
    const { desired, attempt, slot, floor, quarantine } = state
    for (const bundle of [activeOf(slot), previousOf(slot), bundleOf(attempt)]) if (bundle) saveBundle(database, bundle)
    if (desired) replace(database, 'desired_seen', family, { cohort, ...desired, ...objectColumns(desired.release) })
    replace(database, 'slot', family, slotColumns(slot))
    replace(database, 'attempt', family, attempt && { cohort, ...attemptColumns(attempt) })
    replace(database, 'release_floor', family, floor)
    replace(database, 'quarantine', family, quarantine)
    database
      .prepare(
        `DELETE FROM bundle WHERE release NOT IN (SELECT active FROM slot UNION SELECT previous FROM slot
           WHERE previous IS NOT NULL UNION SELECT bundle FROM attempt WHERE bundle IS NOT NULL)`,
      )
      .run()
    alongside()
  })()
}

type Columns = Readonly<Record<string, string | number | null>>

/** The one row of a family; table and column names are ours, never from outside. */
const replace = (database: Database, table: string, family: string, columns: Columns | null): void => {
  if (columns === null) {
    database.prepare(`DELETE FROM ${table} WHERE family = ?`).run(family)
    return
  }
  const row = { family, ...columns }
  const names = Object.keys(row)
  database
    .prepare(
      `INSERT OR REPLACE INTO ${table} (${names.join(', ')}) VALUES (${names.map((name) => `@${name}`).join(', ')})`,
    )
    .run(row)
}

const saveBundle = (database: Database, { manifest, model, vectors, ...bundle }: BundleRef): void => {
  database
    .prepare(
      `INSERT INTO bundle (release, releaseCounter, version, manifest, manifestLength, model, modelLength, vectors, vectorsLength)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    )
    .run(
      bundle.release,
      bundle.releaseCounter,
      bundle.version,
      manifest.sha256,
      manifest.length,
      model.sha256,
      model.length,
      vectors.sha256,
      vectors.length,
    )
}

const objectColumns = ({ sha256, length }: { readonly sha256: string; readonly length: number }) => ({
  release: sha256,
  releaseLength: length,
})

const slotColumns = (slot: Slot): Columns | null => {
  if (slot.kind === 'empty') return null
  return {
    active: slot.active.release,
    previous: slot.previous?.release ?? null,
    trial: slot.kind === 'trial' ? 1 : 0,
    trialBoots: slot.kind === 'trial' ? slot.boots : 0,
  }
}

const attemptColumns = (attempt: Attempt): Columns => ({
  kind: attempt.kind,
  generation: attempt.generation,
  ...objectColumns(attempt.release),
  releaseCounter: attempt.releaseCounter,
  bundle: bundleOf(attempt)?.release ?? null,
  steps: attempt.steps,
  corruptions: 'corruptions' in attempt ? attempt.corruptions : 0,
  probes: attempt.kind === 'verified' ? attempt.probes : 0,
  reason: 'reason' in attempt ? attempt.reason : attempt.kind === 'verified' ? attempt.lastFailure : null,
})
