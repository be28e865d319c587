/**
 * Lays temporary views of the same names over the tables that facts are read from, on one connection that only reads:
 * every reader of this room then sees the directory as it would be with the rows that stand in the `put_` tables, and
 * without those in the `gone_` ones. A row that is put in the place of another keeps its id.
 */
export const proposedSchema = `
  PRAGMA temp_store = MEMORY;

  CREATE TEMP TABLE gone_devices (id INTEGER PRIMARY KEY);
  CREATE TEMP TABLE put_devices (
    id INTEGER PRIMARY KEY, user TEXT, device_key TEXT, device_id TEXT, source TEXT, facts TEXT, as_of INTEGER,
    revision INTEGER, other_keys TEXT, record_id TEXT, missing_since INTEGER
  );
  CREATE INDEX temp.put_devices_pair ON put_devices (user, device_key, device_id, source);
  CREATE INDEX temp.put_devices_device ON put_devices (device_key, user);
  CREATE TEMP VIEW device_facts AS
    SELECT id, user, device_key, device_id, source, facts, as_of, revision, other_keys, record_id, missing_since
    FROM main.device_facts AS held WHERE NOT EXISTS (SELECT 1 FROM gone_devices WHERE gone_devices.id = held.id)
    UNION ALL
    SELECT id, user, device_key, device_id, source, facts, as_of, revision, other_keys, record_id, missing_since
    FROM put_devices;

  CREATE TEMP TABLE put_ids (
    user TEXT, key TEXT, device INTEGER, rank INTEGER, PRIMARY KEY (user, key, device)
  ) WITHOUT ROWID;
  CREATE INDEX temp.put_ids_device ON put_ids (device);
  CREATE TEMP VIEW device_ids AS
    SELECT user, key, device, rank FROM main.device_ids AS held
    WHERE NOT EXISTS (SELECT 1 FROM gone_devices WHERE gone_devices.id = held.device)
    UNION ALL
    SELECT user, key, device, rank FROM put_ids;

  CREATE TEMP TABLE gone_users (user TEXT, source TEXT, PRIMARY KEY (user, source)) WITHOUT ROWID;
  CREATE TEMP TABLE put_users (
    id INTEGER PRIMARY KEY, user TEXT, source TEXT, aliases TEXT, groups TEXT, revision INTEGER
  );
  CREATE UNIQUE INDEX temp.put_users_user ON put_users (user, source);
  CREATE TEMP VIEW users AS
    SELECT id, user, source, aliases, groups, revision FROM main.users AS held
    WHERE NOT EXISTS (SELECT 1 FROM gone_users AS gone WHERE gone.user = held.user AND gone.source = held.source)
    UNION ALL
    SELECT id, user, source, aliases, groups, revision FROM put_users;

  CREATE TEMP TABLE put_names (name TEXT, user TEXT, source TEXT, PRIMARY KEY (name, user, source)) WITHOUT ROWID;
  CREATE INDEX temp.put_names_user ON put_names (user, source);
  CREATE TEMP VIEW user_names AS
    SELECT name, user, source FROM main.user_names AS held
    WHERE NOT EXISTS (SELECT 1 FROM gone_users AS gone WHERE gone.user = held.user AND gone.source = held.source)
    UNION ALL
    SELECT name, user, source FROM put_names;

  CREATE TEMP TABLE put_syncs (source TEXT PRIMARY KEY, complete_at INTEGER, confirmed_at INTEGER) WITHOUT ROWID;
  CREATE TEMP VIEW sync_state AS
    SELECT source, complete_at, confirmed_at FROM main.sync_state AS held
    WHERE NOT EXISTS (SELECT 1 FROM put_syncs WHERE put_syncs.source = held.source)
    UNION ALL
    SELECT source, complete_at, confirmed_at FROM put_syncs;
`
