/** One migration of the station's database: observations, what they are made of, what was predicted and told of them. */
export const OBSERVING_SCHEMA_SQL = `
CREATE TABLE observation (
  number INTEGER PRIMARY KEY,
  deployment TEXT NOT NULL,
  start_ms INTEGER NOT NULL,
  end_ms INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  final INTEGER NOT NULL,
  -- The present revision was made after the allowed lateness.
  late INTEGER NOT NULL,
  -- 1: the present revision waits for its prediction; 2: it can't be predicted and was set aside.
  pending INTEGER NOT NULL,
  -- 1: there may be something to tell that was not told.
  untold INTEGER NOT NULL,
  told_revision INTEGER NOT NULL DEFAULT 0,
  told_predicted INTEGER NOT NULL DEFAULT 0,
  told_end INTEGER NOT NULL DEFAULT 0,
  UNIQUE (deployment, start_ms)
) STRICT;
CREATE INDEX observation_open ON observation (deployment, end_ms) WHERE final = 0;
CREATE INDEX observation_pending ON observation (start_ms) WHERE pending = 1;
CREATE INDEX observation_untold ON observation (number) WHERE untold = 1;
CREATE INDEX observation_tellable ON observation (number) WHERE untold = 1 AND pending <> 1;

-- Readings only join: those of revision r are the rows with revision ≤ r.
CREATE TABLE member (
  observation INTEGER NOT NULL REFERENCES observation,
  reading INTEGER NOT NULL,
  reading_id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (observation, reading)
) STRICT, WITHOUT ROWID;

CREATE TABLE deployment_time (deployment TEXT PRIMARY KEY, newest_ms REAL NOT NULL) STRICT, WITHOUT ROWID;

-- "body" is the prediction as it goes up (wire JSON). Never changed.
CREATE TABLE prediction (
  observation INTEGER NOT NULL REFERENCES observation,
  revision INTEGER NOT NULL,
  model TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (observation, revision, model)
) STRICT, WITHOUT ROWID;
`
