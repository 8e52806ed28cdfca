/**
 * One migration of the station's database. A row's key is (node, epoch, seq): the epoch is born with the file, so a
 * replaced card makes no false duplicates; `next_seq` is a counter and never follows from the rows that are left.
 */
export const OUTBOX_SCHEMA_SQL = `
CREATE TABLE identity (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  epoch TEXT NOT NULL,
  boot INTEGER NOT NULL,
  next_seq INTEGER NOT NULL
) STRICT;
INSERT INTO identity VALUES (1, lower(hex(randomblob(8))), 0, 1);

-- "body" is wire JSON, or null when it is that of the reading with this number.
CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  reading INTEGER,
  body TEXT,
  bytes INTEGER NOT NULL,
  created_at_ms REAL NOT NULL,
  CHECK ((reading IS NULL) <> (body IS NULL))
) STRICT;
`
