import type { DatabaseSync } from 'node:sqlite'
import { createAuditInsert } from './audit.ts'
import type { Committer } from './commit.ts'
import { prepare } from './database.ts'

/** The policy in force, kept so that a restart knows what was in force before. */
export interface KeptPolicy {
  /** Rises with each policy that comes into force, over restarts: a number in a log stands for one policy. */
  readonly revision: number
  /** Tells two texts apart. */
  readonly digest: string
  /** The file as it was read. */
  readonly text: string
  /** When it came into force, ms since the epoch. */
  readonly at: number
  /** Who brought it into force. */
  readonly actor: string
}

export interface KeptPolicyReader {
  /** Undefined before the first start. */
  keptPolicy(): KeptPolicy | undefined
}

export interface KeptPolicyWriter {
  /** Keeps a policy in the place of the one before, and writes it into the audit. */
  keepPolicy(policy: KeptPolicy): void
}

export function createKeptPolicyReader(database: DatabaseSync): KeptPolicyReader {
  const select = prepare<KeptPolicy>(
    database,
    'SELECT coalesce(revision, 1) AS revision, digest, text, at, actor FROM kept_policy',
  )
  return {
    keptPolicy: () => {
      const row = select.get()
      return row === undefined ? undefined : { ...row }
    },
  }
}

export function createKeptPolicyWriter(database: DatabaseSync, committer: Committer): KeptPolicyWriter {
  const replace = database.prepare(
    'INSERT OR REPLACE INTO kept_policy (id, revision, digest, text, at, actor) VALUES (1, ?, ?, ?, ?, ?)',
  )
  const insertEvent = createAuditInsert(database)
  return {
    keepPolicy({ revision, digest, text, at, actor }) {
      committer.commit(() => {
        replace.run(revision, digest, text, at, actor)
        insertEvent({ at, actor, event: 'policy-in-force', detail: { revision, digest } })
      })
    },
  }
}
