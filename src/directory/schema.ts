import type { DatabaseSync } from 'node:sqlite'
import { DirectoryError } from './errors.ts'

/** Marks a file as a store of easgate (`PRAGMA application_id`): the letters EASG. */
export const applicationId = 0x45415347

/**
 * The schema, as the steps that led to it: a file of version n has had the first n steps. Steps are only ever added.
 *
 * Tables hold rowids on purpose: `store rebuild` reads a damaged file by ranges of them. Device facts are one JSON text
 * (fields in the order of `deviceFields`), so that a new fact needs no step and "no field changed" is one comparison.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE store_revision (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL) STRICT;
  INSERT INTO store_revision (id, value) VALUES (1, 0);

  CREATE TABLE device_facts (
    id INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    device_key TEXT NOT NULL,
    device_id TEXT NOT NULL,
    source TEXT NOT NULL,
    facts TEXT NOT NULL,
    as_of INTEGER NOT NULL,
    revision INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX device_facts_pair ON device_facts (user, device_key, device_id, source);
  CREATE INDEX device_facts_device ON device_facts (device_key, user);

  CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    source TEXT NOT NULL,
    aliases TEXT NOT NULL,
    groups TEXT NOT NULL,
    revision INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX users_user ON users (user, source);

  CREATE TABLE user_names (
    name TEXT NOT NULL,
    user TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (name, user, source)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE sightings (
    id INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    device_key TEXT NOT NULL,
    device_id TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    platform TEXT NOT NULL,
    seen TEXT NOT NULL,
    information TEXT,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    allowed_at INTEGER,
    provision_asked_at INTEGER,
    revision INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX sightings_pair ON sightings (user, device_key);

  CREATE TABLE audit_events (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    event TEXT NOT NULL,
    user TEXT,
    device_id TEXT,
    detail TEXT
  ) STRICT;
  CREATE INDEX audit_events_user ON audit_events (user, id) WHERE user IS NOT NULL;

  CREATE TABLE hourly_counts (
    hour INTEGER NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    platform TEXT NOT NULL,
    requests INTEGER NOT NULL,
    PRIMARY KEY (hour, action, reason, platform)
  ) STRICT;

  CREATE TABLE sync_state (
    source TEXT PRIMARY KEY,
    outcome TEXT NOT NULL,
    attempted_at INTEGER NOT NULL,
    complete_at INTEGER,
    confirmed_at INTEGER,
    records INTEGER NOT NULL,
    faults INTEGER NOT NULL,
    error TEXT
  ) STRICT;

  CREATE TABLE outbox (
    revision INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    user TEXT NOT NULL,
    device_id TEXT,
    source TEXT NOT NULL,
    record TEXT
  ) STRICT;
  `,
  `
  CREATE TABLE overrides (
    id INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    device_key TEXT NOT NULL,
    device_id TEXT NOT NULL,
    action TEXT NOT NULL,
    until INTEGER,
    exclusive INTEGER NOT NULL,
    note TEXT NOT NULL,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL,
    revision INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX overrides_pair ON overrides (user, device_key);
  CREATE INDEX overrides_until ON overrides (until) WHERE until IS NOT NULL;

  ALTER TABLE sightings ADD COLUMN noncompliant_since INTEGER;
  ALTER TABLE sightings ADD COLUMN known_client TEXT;
  `,
  `
  ALTER TABLE device_facts ADD COLUMN other_keys TEXT;
  ALTER TABLE device_facts ADD COLUMN record_id TEXT;
  ALTER TABLE device_facts ADD COLUMN missing_since INTEGER;

  CREATE TABLE device_ids (
    user TEXT NOT NULL,
    key TEXT NOT NULL,
    device INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    PRIMARY KEY (user, key, device)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE source_parts (
    source TEXT NOT NULL,
    part TEXT NOT NULL,
    complete_at INTEGER,
    PRIMARY KEY (source, part)
  ) STRICT;
  `,
  `
  CREATE TABLE traces (
    id INTEGER PRIMARY KEY,
    user TEXT NOT NULL,
    device_key TEXT NOT NULL,
    request_id TEXT NOT NULL,
    last_request_id TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    rule TEXT NOT NULL,
    policy_revision INTEGER NOT NULL,
    policy_digest TEXT NOT NULL,
    facts_revision INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    explained TEXT NOT NULL
  ) STRICT;
  CREATE INDEX traces_pair ON traces (user, device_key, last_at);

  -- a pair that leaves the inventory takes its traces with it
  CREATE TRIGGER traces_of_gone_pairs AFTER DELETE ON sightings BEGIN
    DELETE FROM traces WHERE user = OLD.user AND device_key = OLD.device_key;
  END;
  `,
  `
  CREATE TABLE kept_policy (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    digest TEXT NOT NULL,
    text TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL
  ) STRICT;
  `,
  'ALTER TABLE sightings ADD COLUMN imported_at INTEGER',
  'ALTER TABLE kept_policy ADD COLUMN revision INTEGER',
  'CREATE TABLE store_secret (id INTEGER PRIMARY KEY CHECK (id = 1), bytes BLOB NOT NULL) STRICT',
  `
  -- facts have the highest revision of what is left of them: what is gone counts by the history of its user's pairs
  CREATE TRIGGER history_of_gone_devices AFTER DELETE ON device_facts BEGIN
    UPDATE sightings SET revision = max(revision, OLD.revision) + 1 WHERE user = OLD.user;
  END;
  CREATE TRIGGER history_of_gone_users AFTER DELETE ON users BEGIN
    UPDATE sightings SET revision = max(revision, OLD.revision) + 1 WHERE user = OLD.user;
  END;
  CREATE TRIGGER history_of_gone_overrides AFTER DELETE ON overrides BEGIN
    UPDATE sightings SET revision = max(revision, OLD.revision) + 1 WHERE user = OLD.user;
  END;
  `,
  `
  ALTER TABLE sightings ADD COLUMN pair_id TEXT;
  CREATE UNIQUE INDEX sightings_pair_id ON sightings (pair_id) WHERE pair_id IS NOT NULL;

  CREATE TABLE enrollment_codes (
    id INTEGER PRIMARY KEY,
    pair_id TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE push_marks (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    mark TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX push_marks_mark ON push_marks (source, mark);
  `,
  `
  ALTER TABLE sightings ADD COLUMN refused_since INTEGER;
  -- longer than any alarm asks
  UPDATE sightings SET refused_since = first_at WHERE action IN ('block', 'quarantine', 'redirect');
  CREATE INDEX sightings_turned ON sightings (refused_since)
    WHERE refused_since IS NOT NULL AND allowed_at IS NOT NULL;

  CREATE TABLE quarantine_hold (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    held_since INTEGER,
    counts_from INTEGER NOT NULL
  ) STRICT;
  `,
]

/** Brings the database to the last of `steps`, each step in a transaction of its own with the version it leads to. */
export function migrate(database: DatabaseSync, path: string, steps: readonly string[] = migrations): void {
  const version = schemaVersion(database)
  if (version > steps.length) throw newerStore(path, version, steps.length)
  for (const [done, step] of steps.entries()) {
    if (done < version) continue
    database.exec('BEGIN IMMEDIATE')
    try {
      database.exec(step)
      database.exec(`PRAGMA user_version = ${done + 1}`)
      database.exec('COMMIT')
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }
}

/** How many migration steps the file has had. */
export function schemaVersion(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
}

/** The error of a file that a later version wrote: reading it by guess could open the door. */
export function newerStore(path: string, version: number, known: number): DirectoryError {
  return new DirectoryError(
    'STORE_NEWER',
    `the store ${path} has schema version ${version}, this easgate knows up to ${known}; ` +
      'run the newer easgate, or start afresh with: easgate store rebuild',
  )
}
