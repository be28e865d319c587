import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { z } from 'zod'
import { checkPolicy, loadPolicy, loadSettings } from '#config/load.ts'
import { configSchema, type Config } from '#config/schema.ts'
import { readFactsCsv } from '#directory/csv.ts'
import { factsFields, type FactsRecord } from '#directory/record.ts'
import { loadPageTexts } from '#enrollment/texts.ts'
import { decide } from '#policy/decide.ts'
import type { Facts } from '#policy/facts.ts'
import { compilePolicy } from '#policy/compile.ts'
import { policySchema } from '#policy/schema.ts'
import { loadNoticeTexts } from '#quarantine/notice-texts.ts'
import { usualFacts, usualRequest } from '../support/policy-rows.ts'

// paths in a config are relative to the directory that easgate is started in
process.chdir(join(import.meta.dirname, '../..'))

const defaultConfig = 'config/easgate.yaml'
const defaultPolicy = 'config/policy.yaml'

void t.test('the default config says each default as it is', async (t) => {
  const { value } = loadSettings(defaultConfig, {}).config
  const shortest = configSchema.parse({
    backends: { simulator: { kind: 'simulator' } },
    routing: { default: 'simulator' },
  })
  const demo: ReadonlySet<keyof Config> = new Set(['identity', 'sources', 'enrollment'])
  for (const section of Object.keys(configSchema.shape) as (keyof Config)[]) {
    if (!demo.has(section)) t.strictSame(value[section], shortest[section], section)
  }
})

void t.test('the default config is the demo', async (t) => {
  const { value } = loadSettings(defaultConfig, {}).config
  t.strictSame(value.identity, { defaultDomain: 'example.com', domains: { example: 'example.com' } })
  t.strictSame(value.sources, [{ kind: 'file', path: 'config/demo-devices.csv' }])
  t.equal(value.enrollment.publicUrl, 'http://127.0.0.1:8080/easgate/enroll/')
})

void t.test('the default config and policy speak of every key there is', async (t) => {
  for (const [file, schema] of [
    [defaultConfig, configSchema],
    [defaultPolicy, policySchema],
  ] as const) {
    const text = readFileSync(file, 'utf8')
    const keys = keysOf(z.toJSONSchema(schema, { io: 'input' }))
    t.ok(keys.length > 8)
    for (const key of keys) t.match(text, new RegExp(`(?:^|[ {])${key}(?::|  )`, 'm'), `${file}: ${key}`)
  }
})

void t.test('only the exemption differs from the policy of an empty file', async (t) => {
  const exemptedGroups = ['executives']
  t.strictSame(
    loadSettings(defaultConfig, {}).policy.value,
    policySchema.parse({ conditionalAccess: { onPremises: { exemptedGroups }, online: { exemptedGroups } } }),
  )
})

void t.test('the demo users have the outcomes of the demo', async (t) => {
  const rows = readFactsCsv(readFileSync('config/demo-devices.csv', 'utf8'))
  t.strictSame(rows.faults, [])
  const records = rows.records.map(({ record }) => record)
  const outcomes: readonly (readonly [user: string, deviceId: string, action: string, reason: string])[] = [
    ['alice@example.com', 'ApplDEMOALICE1', 'allow', 'compliant'],
    ['bob@example.com', 'androidDEMOBOB1', 'block', 'noncompliant'],
    ['carol@example.com', 'ApplDEMOCAROL1', 'quarantine', 'not-enrolled'],
    ['dave@example.com', 'ApplDEMODAVE1', 'allow', 'exempt'],
  ]
  t.strictSame(
    records.map(({ user }) => user),
    outcomes.map(([user]) => user),
  )
  for (const [user, deviceId, action, reason] of outcomes) {
    const { policy } = loadSettings(defaultConfig, {})
    for (const service of ['onPremises', 'online'] as const) {
      const request = { ...usualRequest, service, deviceId, client: anyClient }
      t.match(
        decide(request, factsOf(records, user, deviceId), compilePolicy(policy.value), Date.now()),
        { action, reason },
        user,
      )
    }
  }
})

void t.test('the demo devices show every column, in order', async (t) => {
  const [header] = readFileSync('config/demo-devices.csv', 'utf8').split('\n')
  t.equal(header, factsFields.join(','))
})

const textsExample = 'quarantine-texts.yaml'
const pageTextsExample = 'page-texts.yaml'

const examples = readdirSync('config/examples').filter((name) => !name.endsWith('-texts.yaml'))
const isPolicy = (name: string): boolean => name.startsWith('policy-')

for (const example of examples.filter(isPolicy)) {
  void t.test(`config/examples/${example} is a policy without a fault or a warning`, async (t) => {
    t.strictSame(loadPolicy(join('config/examples', example), {}).warnings, [])
  })
}

void t.test('the policy of the first week refuses nobody and judges everybody', async (t) => {
  const { value } = loadPolicy('config/examples/policy-first-week.yaml', {})
  const policy = compilePolicy(value)
  for (const service of ['onPremises', 'online'] as const) {
    const request = { ...usualRequest, service }
    const { device: _usual, ...unknown } = usualFacts
    t.match(decide(request, unknown, policy, 0), { action: 'quarantine', mode: 'report-only' })
    t.match(decide(request, usualFacts, policy, 0), { action: 'allow', reason: 'compliant' })
  }
})

void t.test('the policy in the README is one', async (t) => {
  const [, text = ''] = /```yaml\n(conditionalAccess:[^`]*)```/.exec(readFileSync('README.md', 'utf8')) ?? []
  t.equal(checkPolicy(text, 'README.md', {}).value.deviceRules[0]?.name, 'no old Android')
})

for (const example of examples.filter((name) => !isPolicy(name))) {
  void t.test(`config/examples/${example} loads with the files it names`, async (t) => {
    const file = join('config/examples', example)
    const { config } = loadSettings(file, secretsOf(t, readFileSync(file, 'utf8')))
    t.match(config.value.enrollment.publicUrl, /^https:\/\/mail\.example\.com\/easgate\/enroll\/$/)
    t.throws(() => loadSettings(file, {}), /the environment has no EASGATE_/, 'and asks for what it lacks')
  })
}

void t.test(`config/examples/${textsExample} shows every text that can be replaced`, async (t) => {
  t.strictSame(loadNoticeTexts('de', join('config/examples', textsExample)), loadNoticeTexts('en'))
})

void t.test(`config/examples/${pageTextsExample} shows every text of the pages`, async (t) => {
  t.strictSame(loadPageTexts({ de: join('config/examples', pageTextsExample) }).de, loadPageTexts().en)
})

/** The environment that a config asks for, with a file for each secret that it names. */
function secretsOf(t: Test, text: string): Readonly<Record<string, string>> {
  const names = [...text.matchAll(/\$\{EASGATE_SECRETS\}\/(\S+)/g)].map(([, name]) => name)
  const EASGATE_SECRETS = t.testdir(Object.fromEntries(names.map((name) => [name, 'a secret\n'])))
  return { EASGATE_SECRETS, EASGATE_PUBLIC_URL: 'https://mail.example.com' }
}

/** Every key name of a JSON schema, at any depth. */
function keysOf(schema: object): readonly string[] {
  return Object.entries(schema).flatMap(([word, value]: [string, unknown]) => {
    if (typeof value !== 'object' || value === null) return []
    return word === 'properties' ? [...Object.keys(value), ...keysOf(value)] : keysOf(value)
  })
}

/** The phones of the demo are of several systems. */
const anyClient = { ...usualRequest.client, platform: 'unknown' } as const

function factsOf(records: readonly FactsRecord[], user: string, deviceId: string): Facts {
  const record = records.find((each) => each.user === user)
  const device =
    record?.deviceId === deviceId ? { ...record, origin: { sources: ['file'], asOf: 0 } } : undefined
  const { device: _usual, ...others } = usualFacts
  return {
    ...others,
    user: { user, groups: record?.groups ?? [] },
    ...(device === undefined ? {} : { device }),
    userHasEnrolledDevice: device !== undefined,
  }
}
