/** Compares what a station holds with what the cloud has of it, row by row. */
import { databaseFile } from '#edge/database.ts'
import { type Database, openReadOnly } from '#shared/platform/sqlite.ts'

export type StationAudit = {
  /** Readings, observation revisions and predictions of the station. */
  readonly held: number
  /** The first of what the cloud lacks or has otherwise. */
  readonly missing: readonly string[]
  /** The first of what only the cloud has, or has twice. */
  readonly surplus: readonly string[]
}

type Facts = readonly string[]

/** `<kind> <key>: <content>` for each thing that was ever made at the station. */
const stationFacts = (edge: Database): Facts => {
  const all = <T>(sql: string): readonly T[] => edge.prepare<[], T>(sql).all()
  const readings = all<{ sensor: string; id: string; body: string }>('SELECT sensor, id, body FROM reading')
  const observations = all<{ number: number; id: string; revision: number; final: number }>(
    "SELECT number, deployment || '/' || start_ms AS id, revision, final FROM observation",
  )
  const members = Map.groupBy(
    all<{ observation: number; reading_id: string; revision: number }>(
      'SELECT * FROM member ORDER BY observation, reading',
    ),
    ({ observation }) => observation,
  )
  const revisions = observations.flatMap(({ number, id, revision }) =>
    Array.from({ length: revision }, (_, i) => {
      const ids = members.get(number)!.flatMap((member) => (member.revision <= i + 1 ? [member.reading_id] : []))
      return `observation ${id} ${i + 1}: ${ids.join()}`
    }),
  )
  const finals = observations.filter(({ final }) => final === 1).map(({ id, revision }) => `final ${id} ${revision}`)
  const predictions = all<{ body: string }>('SELECT body FROM prediction').map(({ body }) => predictionFact(body))
  return [
    ...readings.map(({ sensor, id, body }) => `reading ${sensor} ${id}: ${JSON.parse(body).observedAtMs}`),
    ...revisions,
    ...finals,
    ...predictions,
  ]
}

const predictionFact = (body: string): string => {
  const { observation, revision, model, probabilities } = JSON.parse(body)
  return `prediction ${observation} ${revision} ${model}: ${probabilities.join()}`
}

const cloudFacts = (cloud: Database, node: string): Facts => {
  const all = <T>(sql: string): readonly T[] => cloud.prepare<[string], T>(sql).all(node)
  const observations = all<{ id: string; revision: number; final: number; readings: string }>(
    'SELECT id, revision, final, readings FROM observation WHERE node = ?',
  )
  const newest = new Map<string, number>()
  for (const { id, revision } of observations) newest.set(id, Math.max(revision, newest.get(id) ?? 0))
  return [
    ...all<{ sensor: string; id: string; observed_at_ms: number | null }>(
      'SELECT sensor, id, observed_at_ms FROM reading WHERE node = ?',
    ).map(({ sensor, id, observed_at_ms }) => `reading ${sensor} ${id}: ${observed_at_ms}`),
    ...observations.map(
      ({ id, revision, readings }) => `observation ${id} ${revision}: ${JSON.parse(readings).join()}`,
    ),
    ...observations
      .filter(({ id, revision, final }) => final === 1 && newest.get(id) === revision)
      .map(({ id, revision }) => `final ${id} ${revision}`),
    ...all<{ body: string }>('SELECT body FROM prediction WHERE node = ?').map(({ body }) => predictionFact(body)),
  ]
}

const SHOWN = 5

/** To be called when the outbox is empty. */
export const auditStation = (node: string, stateFolder: string, cloudFile: string): StationAudit => {
  using edge = opened(databaseFile(stateFolder))
  using cloud = opened(cloudFile)
  const here = stationFacts(edge.database)
  const there = cloudFacts(cloud.database, node)
  const wanted = new Set(here)
  const known = new Set<string>()
  const surplus = there.filter((fact) => {
    const isRepeated = known.has(fact)
    known.add(fact)
    return isRepeated || !wanted.has(fact)
  })
  return {
    held: here.length,
    missing: here.filter((fact) => !known.has(fact)).slice(0, SHOWN),
    surplus: surplus.slice(0, SHOWN),
  }
}

const opened = (file: string) => {
  const database = openReadOnly(file)
  return { database, [Symbol.dispose]: () => void database.close() }
}
