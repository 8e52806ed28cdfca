/** One migration of the station's database: readings, what was no reading, and counts that survive restarts. */
export const SPOOL_SCHEMA_SQL = `
-- "body" is the reading as it goes up (wire JSON). A sensor's second sending of an id is harmless: the first stands.
CREATE TABLE reading (
  number INTEGER PRIMARY KEY,
  sensor TEXT NOT NULL,
  id TEXT NOT NULL,
  received_at_ms REAL NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (sensor, id)
) STRICT;

CREATE TABLE sensor_seen (
  sensor TEXT PRIMARY KEY,
  readings INTEGER NOT NULL,
  last_received_at_ms REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rejected (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  topic TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  payload BLOB NOT NULL,
  received_at_ms REAL NOT NULL
) STRICT;

CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`
