import { visitInSlices } from '#directory/commit.ts'
import { readPostedRecords } from '#directory/posted-records.ts'
import { apiSource } from '#directory/read-facts.ts'
import type { Store } from '#directory/store.ts'
import type { LoginRules } from '#eas/login.ts'
import { actions, reasons } from '#policy/reasons.ts'
import { deleteOverride, ownerOf, putOverride } from './device-override.ts'
import type { Explain } from './explain.ts'
import { checkWord, parametersOf } from './parameters.ts'
import { postInventory } from './inventory.ts'
import { Problem } from './problem.ts'
import type { ApiRequest, ApiRoutes } from './server.ts'
import { shownDevice } from './shown-device.ts'
import { explainRequest, listTraces } from './traces.ts'

export interface ApiDeps {
  readonly store: Store
  /** Users are named as phones name them. */
  readonly loginRules: LoginRules
  readonly explain: Explain
  /** Resolves once every worker decides by all that is committed. */
  readonly enforced: () => Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** The API of design.md, as far as its parts are there. Answers after the commit, when the change is in force. */
export function createApi(deps: ApiDeps): ApiRoutes {
  return new Map([
    ['POST /api/facts', (request) => postFacts(deps, request)],
    ['DELETE /api/facts/*', (request) => deleteFacts(deps, request)],
    ['POST /api/inventory', (request) => postInventory(deps, request)],
    ['GET /api/devices', (request) => listDevices(deps, request)],
    ['GET /api/devices/*', (request) => showDevice(deps, request)],
    ['PUT /api/devices/*', (request) => putOverride(deps, request)],
    ['DELETE /api/devices/*', (request) => deleteOverride(deps, request)],
    ['GET /api/explain', (request) => explain(deps, request)],
  ])
}

/**
 * One record, a list of records, or `{ devices: [...] }`. One fault refuses them all: nothing is half done. Where the
 * store itself fails on the way, the first records may be in force; the same request may be sent again.
 */
async function postFacts({ store, enforced, now }: ApiDeps, { json }: ApiRequest) {
  const posted = await readPostedRecords(listOf(await json()))
  if ('errors' in posted) throw new Problem(400, 'Bad Request', posted.detail, posted.errors)
  const { records } = posted
  const changes = await store.upsert(apiSource, records)
  store.audit({
    at: now(),
    actor: 'api',
    event: 'facts-pushed',
    detail: { records: records.length, changes: changes.length },
  })
  await enforced()
  return { records: records.length, changed: changes.length, revision: store.currentRevision() }
}

function listOf(body: unknown): readonly unknown[] {
  if (Array.isArray(body)) return body
  if (typeof body !== 'object' || body === null || !('devices' in body)) return [body]
  const { devices, ...others } = body
  if (Array.isArray(devices) && Object.keys(others).length === 0) return devices
  throw new Problem(400, 'Bad Request', 'expected devices to be a list of records, and nothing beside it')
}

/** Takes back what was pushed; what other sources say of the device stands. */
async function deleteFacts({ store, enforced, now }: ApiDeps, { segments }: ApiRequest) {
  const { user, deviceId } = pairOf(segments)
  const changes = store.remove(user, deviceId, apiSource)
  if (changes.length === 0) throw new Problem(404, 'Not Found', 'nothing was pushed for this device')
  store.audit({ at: now(), actor: 'api', event: 'facts-removed', user: user.toLowerCase(), deviceId })
  await enforced()
  return undefined
}

const maxPage = 1000
const filterNames = ['state', 'reason', 'platform', 'group', 'override', 'user', 'cursor', 'limit'] as const
const overrideFilters = ['allow', 'block', 'any'] as const

async function listDevices(deps: ApiDeps, { query }: ApiRequest) {
  const { limit = '100', override, user, ...filters } = parametersOf(query, filterNames)
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > maxPage) {
    throw new Problem(400, 'Bad Request', `limit must be 1 to ${maxPage}`)
  }
  checkWord('state', filters.state, actions)
  checkWord('reason', filters.reason, reasons)
  checkWord('override', override, overrideFilters)
  const ofOverride = overrideFilters.find((word) => word === override)
  const { devices, next } = await deps.store.devices({
    ...filters,
    ...(ofOverride === undefined ? undefined : { override: ofOverride }),
    ...(user === undefined ? undefined : { user: ownerOf(deps, user) }),
    limit: Number(limit),
  })
  const page: unknown[] = []
  await visitInSlices(devices, (device) => page.push(shownDevice(device)))
  return { devices: page, next: next ?? null }
}

function showDevice(deps: ApiDeps, { segments }: ApiRequest) {
  if (segments[2] === 'traces') {
    const { user, deviceId } = pairOf(segments.toSpliced(2, 1))
    return listTraces(deps, user, deviceId)
  }
  const { user, deviceId } = pairOf(segments)
  const device = deps.store.device(ownerOf(deps, user), deviceId)
  if (device === undefined)
    throw new Problem(404, 'Not Found', 'this device is neither on record nor was it seen')
  return shownDevice(device)
}

function pairOf([user, deviceId, ...rest]: readonly string[]): { user: string; deviceId: string } {
  if (user === undefined || user === '' || deviceId === undefined || deviceId === '' || rest.length > 0) {
    throw new Problem(404, 'Not Found', 'expected /{user}/{deviceId}')
  }
  return { user, deviceId }
}

const claimNames = ['deviceType', 'userAgent', 'protocolVersion'] as const
const requestNames = ['requestId', 'policyRevision', 'factsRevision', 'reason'] as const

function explain(deps: ApiDeps, { query }: ApiRequest) {
  const parameters = parametersOf(query, ['user', 'deviceId', ...claimNames, ...requestNames])
  const { user = '', deviceId = '', requestId, policyRevision, factsRevision, reason, ...claims } = parameters
  const question = { user, deviceId, ...claims }
  if (requestId !== undefined) {
    return explainRequest(deps, question, { requestId, policyRevision, factsRevision, reason })
  }
  const alone = requestNames.find((name) => parameters[name] !== undefined)
  if (alone !== undefined) {
    throw new Problem(400, 'Bad Request', `${alone} tells of a request: expected its requestId too`)
  }
  return deps.explain(question)
}
