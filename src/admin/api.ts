import { DirectoryError } from '#directory/errors.ts'
import type { DeviceEntry } from '#directory/list-devices.ts'
import { apiSource } from '#directory/read-facts.ts'
import { readRows } from '#directory/rows.ts'
import type { Store } from '#directory/store.ts'
import type { Explanation, ExplainQuestion } from './explain.ts'
import { Problem } from './problem.ts'
import type { ApiRequest, ApiRoutes } from './server.ts'

export interface ApiDeps {
  readonly store: Store
  readonly explain: (question: ExplainQuestion) => Explanation
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
    ['GET /api/devices', (request) => listDevices(deps, request)],
    ['GET /api/devices/*', (request) => showDevice(deps, request)],
    ['GET /api/explain', ({ query }) => deps.explain(questionOf(query))],
  ])
}

/** One record, a list of records, or `{ devices: [...] }`. One fault refuses them all: nothing is half done. */
async function postFacts({ store, enforced, now }: ApiDeps, { json }: ApiRequest) {
  const body = await json()
  const values = listOf(body)
  const { records, faults } = readRows(
    values.map((value, place) => ({ place, value })),
    'index',
  )
  if (faults.length > 0) {
    const errors = faults.map(({ place, field, message }) => ({ index: place, field, message }))
    throw new Problem(400, 'Bad Request', `${faults.length} faults; nothing was changed`, errors)
  }
  const changes = await store.upsert(
    apiSource,
    records.map(({ record }) => record),
  )
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
  if (typeof body === 'object' && body !== null && 'devices' in body && Array.isArray(body.devices))
    return body.devices
  return [body]
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

async function listDevices({ store }: ApiDeps, { query }: ApiRequest) {
  const known = ['state', 'reason', 'platform', 'group', 'user', 'cursor', 'limit']
  for (const name of query.keys()) {
    if (!known.includes(name)) {
      throw new Problem(400, 'Bad Request', `there is no filter ${name}; expected one of ${known.join(', ')}`)
    }
  }
  const limit = Number(query.get('limit') ?? 100)
  if (!Number.isInteger(limit) || limit < 1 || limit > maxPage) {
    throw new Problem(400, 'Bad Request', `limit must be 1 to ${maxPage}`)
  }
  const filters = Object.fromEntries([...query].filter(([name, value]) => name !== 'limit' && value !== ''))
  try {
    const { devices, next } = await store.devices({ ...filters, limit })
    return { devices: devices.map(shown), next: next ?? null }
  } catch (error) {
    if (!(error instanceof DirectoryError) || error.code !== 'CURSOR_INVALID') throw error
    throw new Problem(400, 'Bad Request', error.message)
  }
}

function showDevice({ store }: ApiDeps, { segments }: ApiRequest) {
  const { user, deviceId } = pairOf(segments)
  const device = store.device(user, deviceId)
  if (device === undefined)
    throw new Problem(404, 'Not Found', 'this device is neither on record nor was it seen')
  return shown(device)
}

function pairOf([user, deviceId, ...rest]: readonly string[]): { user: string; deviceId: string } {
  if (user === undefined || user === '' || deviceId === undefined || deviceId === '' || rest.length > 0) {
    throw new Problem(404, 'Not Found', 'expected /{user}/{deviceId}')
  }
  return { user, deviceId }
}

function questionOf(query: URLSearchParams): ExplainQuestion {
  return {
    user: query.get('user') ?? '',
    deviceId: query.get('deviceId') ?? '',
    deviceType: query.get('deviceType') ?? undefined,
    userAgent: query.get('userAgent') ?? undefined,
  }
}

const timeFields = new Set([
  'graceUntil',
  'lastCheckIn',
  'asOf',
  'firstAt',
  'lastAt',
  'allowedAt',
  'provisionAskedAt',
])

/** An entry as JSON shows it: times in ISO 8601. */
function shown(entry: DeviceEntry): unknown {
  return JSON.parse(JSON.stringify({ ...entry, deviceKey: undefined }), (name, value: unknown) =>
    timeFields.has(name) && typeof value === 'number' ? new Date(value).toISOString() : value,
  )
}
