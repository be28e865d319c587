import type { Member } from './membership.ts'

/** One change of a group or directory device, for the delta calls. */
export interface Change {
  readonly collection: 'groups' | 'devices'
  readonly id: string
  readonly properties?: readonly string[]
  readonly member?: Member & { readonly removed: boolean }
  /** changed: it can be restored. */
  readonly removed?: 'changed' | 'deleted'
}

/** Changes in the order in which they were made. */
export interface ChangeLog {
  readonly add: (change: Change) => void
  /** The number of changes so far, which a delta token remembers. */
  readonly length: () => number
  readonly between: (from: number, to: number) => readonly Change[]
}

export function createChangeLog(): ChangeLog {
  const changes: Change[] = []
  return {
    add: (change) => void changes.push(change),
    length: () => changes.length,
    between: (from, to) => changes.slice(from, to),
  }
}
