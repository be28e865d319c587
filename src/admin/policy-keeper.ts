import { checkPolicy, loadPolicy, type LoadedPolicy } from '#config/load.ts'
import { ConfigError } from '#config/yaml.ts'
import type { Store } from '#directory/store.ts'
import { compilePolicy, type CompiledPolicy } from '#policy/compile.ts'
import type { Policy } from '#policy/schema.ts'
import type { Logger } from '#telemetry/log.ts'
import type { Metrics } from '#telemetry/metrics.ts'
import type { HeldChanges } from './held-changes.ts'
import type { SeenJudges } from './what-if/judge-seen.ts'
import { weighChange } from './what-if/weigh.ts'

/** The policy in force. */
export interface CurrentPolicy {
  readonly value: Policy
  readonly compiled: CompiledPolicy
  readonly text: string
  readonly digest: string
  /** Rises with each policy that comes into force, over restarts too. */
  readonly revision: number
  /** Since when it is in force, over restarts; ms since the epoch. */
  readonly since: number
  /** Who brought it into force: `file` for a read of the policy file, `api` for an operator who confirmed it. */
  readonly actor: string
}

/** Decides which policy is in force: that of the file, unless it has faults or would refuse too many at once. */
export interface PolicyKeeper {
  readonly current: () => CurrentPolicy
  /**
   * Reads the file again; settles once its policy is in force, held or refused for its faults. One read at a time: calls
   * that come during one share the next.
   */
  readonly reload: () => Promise<void>
  /** Settles once it is decided whether the policy of the start comes into force. Until then the one of before is. */
  readonly started: Promise<void>
}

export interface PolicyKeeperDeps {
  /** The policy file as it was read at the start. */
  readonly loaded: LoadedPolicy
  readonly store: Store
  readonly judges: SeenJudges
  readonly held: HeldChanges
  readonly metrics: Pick<Metrics, 'policyRevision' | 'policyReloads'>
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Told of each new policy before it is weighed; resolves once all that it asks about can be known. */
  readonly onDraft: (draft: Policy) => Promise<void>
  /** Hands a policy to the workers; resolves once it is in force on each. */
  readonly onPolicy: (policy: CurrentPolicy) => Promise<void>
}

const fileActor = 'file'

export function createPolicyKeeper(deps: PolicyKeeperDeps): PolicyKeeper {
  const { loaded, store, judges, held, metrics, log, now } = deps
  const { file } = loaded
  const origin = { kind: 'policy', name: file } as const
  let current = policyOfStart(deps)
  metrics.policyRevision.set(current.revision)

  async function take(draft: LoadedPolicy, actor: string): Promise<void> {
    tellWarnings(draft, log)
    current = keep(store, draft, { revision: current.revision + 1, since: now(), actor })
    metrics.policyRevision.set(current.revision)
    await deps.onPolicy(current)
  }

  /** Brings a policy into force, or holds it. */
  async function offer(draft: LoadedPolicy): Promise<void> {
    const before = current
    const { digest } = draft
    if (digest === before.digest) {
      held.release(origin)
      metrics.policyReloads.inc({ outcome: 'unchanged' })
      log.info({ digest, revision: before.revision }, 'the policy file is unchanged')
      return
    }
    await deps.onDraft(draft.value)
    const judge = judges(store)
    const comparison = { before: judge(before.compiled), after: judge(compilePolicy(draft.value)) }
    // the share of the policy in force, so that no draft lifts its own
    const weighed = await weighChange(store, comparison, { share: before.value.maxNewRefusals, now: now() })
    // an operator has confirmed another one meanwhile
    if (current !== before) return offer(draft)
    if (weighed.weight.tooHeavy) {
      metrics.policyReloads.inc({ outcome: 'held' })
      held.hold({ ...origin, digest, heldAt: now(), ...weighed }, async (actor) => {
        await take(draft, actor)
        metrics.policyReloads.inc({ outcome: 'confirmed' })
      })
      return
    }
    held.release(origin)
    await take(draft, fileActor)
    metrics.policyReloads.inc({ outcome: 'loaded' })
    log.info({ digest, revision: current.revision }, 'policy reloaded')
  }

  async function look(read: () => LoadedPolicy): Promise<void> {
    try {
      await offer(read())
    } catch (error) {
      metrics.policyReloads.inc({ outcome: 'faulty' })
      if (error instanceof ConfigError) {
        log.error({ faults: error.faults }, 'the new policy has faults; the old one stays in force')
      } else {
        log.error({ err: error }, 'the new policy could not be taken; the old one stays in force')
      }
    }
  }

  const started = current.digest === loaded.digest ? Promise.resolve() : look(() => loaded)
  let last = started
  let waiting: Promise<void> | undefined

  return {
    current: () => current,
    started,
    reload: () => {
      waiting ??= last.then(() => {
        waiting = undefined
        return look(() => loadPolicy(file))
      })
      last = waiting
      return waiting
    },
  }
}

/** The one that was in force when the node stopped, where it is known and can be read; else that of the file. */
function policyOfStart({ loaded, store, log, now }: PolicyKeeperDeps): CurrentPolicy {
  const kept = store.keptPolicy()
  if (kept?.digest === loaded.digest) {
    tellWarnings(loaded, log)
    return inForce(loaded, { revision: kept.revision, since: kept.at, actor: kept.actor })
  }
  if (kept !== undefined) {
    try {
      const { revision, at: since, actor } = kept
      return inForce(checkPolicy(kept.text, loaded.file), { revision, since, actor })
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      log.warn(
        { faults: error.faults },
        'the policy of before cannot be read any more; that of the file counts',
      )
    }
  }
  tellWarnings(loaded, log)
  return keep(store, loaded, { revision: (kept?.revision ?? 0) + 1, since: now(), actor: fileActor })
}

type Taken = Pick<CurrentPolicy, 'revision' | 'since' | 'actor'>

/** A policy comes into force once it is on disk. */
function keep(store: Store, policy: LoadedPolicy, taken: Taken): CurrentPolicy {
  const { revision, since: at, actor } = taken
  store.keepPolicy({ revision, digest: policy.digest, text: policy.text, at, actor })
  return inForce(policy, taken)
}

function tellWarnings({ warnings }: LoadedPolicy, log: PolicyKeeperDeps['log']): void {
  for (const { line, path, message } of warnings) log.warn({ line, path }, `policy: ${message}`)
}

function inForce({ value, text, digest }: LoadedPolicy, taken: Taken): CurrentPolicy {
  return { value, compiled: compilePolicy(value), text, digest, ...taken }
}
