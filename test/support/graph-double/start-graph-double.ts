import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { request } from 'undici'
import type { Counts, RequestRecord, Wanted } from './requests.ts'
import type { App, Behaviour, BehaviourInput, Entity, ScenarioInput } from './scenario.ts'
import type { CollectionName } from './tenant.ts'

/** A running double, as a test or bench drives it. A `key` is an id, the UPN of a user, the display name of a group, or a position. */
export interface GraphDouble {
  readonly pid: number
  /** Of Graph and of Entra, without a slash at the end. */
  readonly url: string
  /** Replaces whole sections of how Graph behaves. */
  readonly behave: (changes: BehaviourInput) => Promise<Behaviour>
  readonly get: (collection: CollectionName, key: string | number) => Promise<Entity>
  /** Gives the whole record, with its id. */
  readonly add: (collection: CollectionName, entity: Entity) => Promise<Entity>
  readonly change: (collection: CollectionName, key: string | number, changes: Entity) => Promise<Entity>
  /** changed: a group or directory device that can be restored. */
  readonly remove: (
    collection: CollectionName,
    key: string | number,
    reason?: 'changed' | 'deleted',
  ) => Promise<void>
  /** Lists leave it out, the call for the one record still gives it. */
  readonly hide: (collection: CollectionName, key: string | number) => Promise<void>
  readonly show: (collection: CollectionName, key: string | number) => Promise<void>
  /** Of a group by id or display name; members are named as in the scenario. */
  readonly changeMembers: (
    group: string,
    members: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
  ) => Promise<void>
  /** A token keeps the permissions that it was given for. */
  readonly changeApp: (clientId: string, changes: Partial<Omit<App, 'clientId'>>) => Promise<void>
  readonly expireTokens: () => Promise<void>
  readonly expireDeltaTokens: () => Promise<void>
  /** The clock of tokens and throttling. */
  readonly advanceClock: (seconds: number) => Promise<void>
  /** Lets go what faults of kind hang hold. */
  readonly release: () => Promise<void>
  /** The last calls, oldest first. */
  readonly requests: () => Promise<readonly RequestRecord[]>
  readonly counts: () => Promise<Counts>
  readonly resetCounts: () => Promise<void>
  /** Resolves with the first call that fits, of those so far or later. */
  readonly waitFor: (wanted: Wanted) => Promise<RequestRecord>
  readonly stop: () => Promise<void>
}

const main = join(import.meta.dirname, 'main.ts')

/** Starts the double of Microsoft Graph as a process of its own; it ends with `stop`, or with this process. */
export async function startGraphDouble(scenario: ScenarioInput = {}): Promise<GraphDouble> {
  const folder = mkdtempSync(join(tmpdir(), 'graph-double-'))
  const file = join(folder, 'scenario.json')
  writeFileSync(file, JSON.stringify(scenario))
  const child = spawn(process.execPath, [main, file], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const closed = once(child, 'close')
  const stop = async () => {
    child.kill('SIGKILL')
    await closed
  }
  const ready = Promise.withResolvers<string>()
  if (child.stdout === null || child.stderr === null) throw new Error('no output')
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
  createInterface({ input: child.stdout }).once('line', (said) => ready.resolve(said))
  void closed.then(() => ready.reject(new Error(`the double of Graph did not serve: ${complaints}`)))
  const line = await ready.promise.finally(() => rmSync(folder, { recursive: true }))
  child.stderr.pipe(process.stderr)
  const { url, controlUrl, pid } = JSON.parse(line) as { url: string; controlUrl: string; pid: number }

  const call = async <Result>(method: Method, path: string, body?: unknown): Promise<Result> => {
    const answer = await request(controlUrl + path, {
      method,
      headersTimeout: 0,
      body: body === undefined ? null : JSON.stringify(body),
    })
    const result = (await answer.body.json()) as Result & { readonly error?: string }
    if (answer.statusCode !== 200) throw new Error(`${method} ${path}: ${result.error ?? ''}`)
    return result
  }
  const order = async (method: Method, path: string, body?: unknown): Promise<void> => {
    await call(method, path, body)
  }

  return {
    pid,
    url,
    behave: (changes) => call('PATCH', '/behaviour', changes),
    get: (collection, key) => call('GET', at(collection, key)),
    add: (collection, entity) => call('POST', `/${collection}`, entity),
    change: (collection, key, changes) => call('PATCH', at(collection, key), changes),
    remove: (collection, key, reason = 'deleted') =>
      order('DELETE', `${at(collection, key)}?reason=${reason}`),
    hide: (collection, key) => order('POST', `${at(collection, key)}/hide`),
    show: (collection, key) => order('POST', `${at(collection, key)}/show`),
    changeMembers: (group, { add, remove }) =>
      order('PATCH', at('groups', group), { addMembers: add, removeMembers: remove }),
    changeApp: (clientId, changes) => order('PATCH', `/apps/${clientId}`, changes),
    expireTokens: () => order('POST', '/expire-tokens'),
    expireDeltaTokens: () => order('POST', '/expire-delta-tokens'),
    advanceClock: (seconds) => order('POST', '/advance-clock', { seconds }),
    release: () => order('POST', '/release'),
    requests: () => call('GET', '/requests'),
    counts: () => call('GET', '/counts'),
    resetCounts: () => order('DELETE', '/counts'),
    waitFor: (wanted) => call('GET', `/wait?${waitQuery(wanted)}`),
    stop,
  }
}

function at(collection: CollectionName, key: string | number): string {
  return `/${collection}/${encodeURIComponent(key)}`
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

function waitQuery(wanted: Wanted): string {
  const options = Object.entries(wanted).map(([name, value]) => [name, String(value)] as [string, string])
  return new URLSearchParams(options).toString()
}
