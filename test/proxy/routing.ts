import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createBackendRouter, isPassthrough, routeDecision, serviceOf } from '#proxy/routing.ts'

interface PassthroughRow {
  readonly path: string
  readonly prefixes: readonly string[]
  readonly passes: boolean
  readonly why?: string
}

const table = join(import.meta.dirname, '../fixtures/proxy/passthrough-routes.json')
const passthroughRows = JSON.parse(readFileSync(table, 'utf8')) as readonly PassthroughRow[]

void t.test('only a canonical path under a listed prefix is passed through (T-25, T-26)', async (t) => {
  for (const { path, prefixes, passes, why } of passthroughRows) {
    t.equal(isPassthrough(path, prefixes), passes, `${path} under ${prefixes.join(', ')} ${why ?? ''}`)
  }
})

const backends = new Map([
  ['local', 'LOCAL'],
  ['cloud', 'CLOUD'],
  ['lab', 'LAB'],
])
const rules = [
  { group: 'moved', backend: 'cloud' },
  { group: 'testers', backend: 'lab' },
]
const user = (...groups: string[]) => ({ user: 'alice@example.com', groups })

void t.test('routes by the first group that fits', async (t) => {
  const backendOf = createBackendRouter(backends, { default: 'local', rules })
  t.equal(backendOf(user('testers', 'moved')), 'CLOUD')
  t.equal(backendOf(user('testers')), 'LAB')
  t.equal(backendOf(user('staff')), 'LOCAL')
})

void t.test('routes a login that nobody knows to the default', async (t) => {
  t.equal(createBackendRouter(backends, { default: 'cloud', rules: [] })(undefined), 'CLOUD')
})

void t.test('refuses to start with a backend that is not there', async (t) => {
  t.throws(() => createBackendRouter(backends, { default: 'none', rules: [] }), /no backend is named none/)
  const wrong = [{ group: 'a', backend: 'constructor' }]
  t.throws(() => createBackendRouter(backends, { default: 'lab', rules: wrong }), /named constructor/)
})

void t.test('judges Exchange Online by its own part of the policy, all else as on-premises', async (t) => {
  t.equal(serviceOf('exchange-online'), 'online')
  t.equal(serviceOf('exchange-on-premises'), 'onPremises')
  t.equal(serviceOf('simulator'), 'onPremises')
})

void t.test('decides by the route where user and device do not count', async (t) => {
  const path = '/x'
  const decided = (kind: Parameters<typeof routeDecision>[0]['kind'], hasCredentials = true) => {
    const decision = routeDecision({ kind, path }, hasCredentials, [])
    return decision && [decision.action, decision.reason, decision.mode, decision.validUntil]
  }
  t.strictSame(decided('closed'), ['reject', 'route-closed', 'enforce', Infinity])
  t.strictSame(decided('browser'), ['redirect', 'route-closed', 'enforce', Infinity])
  t.strictSame(decided('enroll'), ['allow', 'not-targeted', 'enforce', Infinity])
  t.strictSame(decided('autodiscover-json', false), ['allow', 'not-targeted', 'enforce', Infinity])
  for (const kind of ['command', 'options', 'autodiscover-xml'] as const) {
    t.equal(decided(kind), undefined, `${kind} is for the policy`)
    t.strictSame(decided(kind, false), ['reject', 'credentials-refused', 'enforce', Infinity])
  }
  t.equal(routeDecision({ kind: 'closed', path: '/owa/x' }, false, ['/owa'])?.action, 'allow')
})
