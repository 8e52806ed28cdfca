/** The cloud's database, as migrations: append, never edit what has been released. */

export const CLOUD_MIGRATIONS: readonly string[] = [
  `
-- One life of a station's database. Numbers rise in order of first contact, so a replaced card counts as newer.
CREATE TABLE epoch (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  node TEXT NOT NULL,
  name TEXT NOT NULL,
  up_to INTEGER NOT NULL DEFAULT 0,
  first_seen_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL,
  UNIQUE (node, name)
);

-- Every row ever taken in, good or rejected: what makes its second arrival harmless.
CREATE TABLE row (
  epoch INTEGER NOT NULL REFERENCES epoch,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;

-- Pixels and levels lie in "bytes", the rest of the content in "content" as JSON.
CREATE TABLE reading (
  node TEXT NOT NULL,
  id TEXT NOT NULL,
  sensor TEXT NOT NULL,
  deployment TEXT NOT NULL,
  modality TEXT NOT NULL,
  observed_at_ms REAL,
  observed_at_text TEXT,
  clock TEXT NOT NULL,
  content TEXT NOT NULL,
  bytes BLOB,
  media TEXT,
  PRIMARY KEY (node, id, sensor)
);

CREATE TABLE observation (
  node TEXT NOT NULL,
  id TEXT NOT NULL,
  epoch INTEGER NOT NULL REFERENCES epoch,
  revision INTEGER NOT NULL,
  deployment TEXT NOT NULL,
  start_ms REAL NOT NULL,
  end_ms REAL NOT NULL,
  final INTEGER NOT NULL,
  readings TEXT NOT NULL,
  PRIMARY KEY (node, id, epoch, revision)
) WITHOUT ROWID;

-- The newest revision of each observation, whatever the order of arrival.
CREATE TABLE latest_observation (
  node TEXT NOT NULL,
  id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (id, node)
) WITHOUT ROWID;

CREATE TABLE prediction (
  node TEXT NOT NULL,
  observation TEXT NOT NULL,
  epoch INTEGER NOT NULL REFERENCES epoch,
  seq INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  model TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;
CREATE INDEX prediction_of ON prediction (observation, node);

CREATE TABLE report (
  epoch INTEGER NOT NULL REFERENCES epoch,
  seq INTEGER NOT NULL,
  at_ms REAL NOT NULL,
  topic TEXT NOT NULL,
  state TEXT NOT NULL,
  detail TEXT NOT NULL,
  model TEXT,
  generation INTEGER,
  PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;

CREATE TABLE label (
  arrival INTEGER PRIMARY KEY AUTOINCREMENT,
  source TEXT NOT NULL,
  id TEXT NOT NULL,
  observation TEXT NOT NULL,
  present TEXT NOT NULL,
  absent TEXT NOT NULL,
  said_by TEXT NOT NULL,
  received_at_ms INTEGER NOT NULL,
  UNIQUE (source, id)
);
CREATE INDEX label_of ON label (observation);

CREATE TABLE rejected (
  arrival INTEGER PRIMARY KEY AUTOINCREMENT,
  topic TEXT NOT NULL,
  epoch INTEGER REFERENCES epoch,
  seq INTEGER,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  payload BLOB NOT NULL,
  received_at_ms INTEGER NOT NULL
);

CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`,
  `
-- Predictions by the modalities that were visible (a JSON list of sorted names), in weeks of arrival since 1970.
CREATE TABLE traffic (
  model TEXT NOT NULL,
  modalities TEXT NOT NULL,
  week INTEGER NOT NULL,
  predictions INTEGER NOT NULL,
  PRIMARY KEY (model, modalities, week)
) WITHOUT ROWID;

-- Those taken in before have no time of arrival. A station's clock may lie ahead; its last word here cannot.
-- Added up in the table, as a GROUP BY would sort all of them in memory.
INSERT INTO traffic (model, modalities, week, predictions)
SELECT
  p.model,
  (SELECT json_group_array(name) FROM (
    SELECT seen.key AS name FROM json_each(p.body, '$.evidence') seen
    WHERE json_extract(seen.value, '$.visibleTokens') > 0 ORDER BY seen.key
  )),
  CAST(min(json_extract(p.body, '$.predictedAtMs'), e.last_seen_ms) / 604800000 AS INTEGER),
  1
FROM prediction p JOIN epoch e ON e.number = p.epoch WHERE true
ON CONFLICT DO UPDATE SET predictions = predictions + 1;
`,
]
