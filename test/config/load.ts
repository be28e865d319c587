import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isLoopback, loadPolicy, loadSettings } from '#config/load.ts'
import { ConfigError, faultText, type ConfigFault } from '#config/yaml.ts'

const fixtures = join(import.meta.dirname, '../fixtures/config')

/** The shortest good config, less its policy. */
const shortest = `
backends: { exchange: { kind: simulator } }
routing: { default: exchange }
`

/** Puts the files into a directory of the test, as `${DIRECTORY}`, and loads the config. */
function load(t: Test, config: string, others: Readonly<Record<string, string>> = {}) {
  const DIRECTORY = t.testdir({
    'easgate.yaml': `${config}\npolicy: { file: "\${DIRECTORY}/policy.yaml" }\n`,
    'policy.yaml': '',
    ...others,
  })
  return loadSettings(join(DIRECTORY, 'easgate.yaml'), { DIRECTORY })
}

function faultsOf(load: () => unknown): readonly ConfigFault[] {
  try {
    load()
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
  return []
}

/** `line path: message` of each fault. */
function faultLines(load: () => unknown): readonly string[] {
  return faultsOf(load).map(({ line, path, message }) => `${line} ${path}: ${message}`)
}

void t.test('tells every fault of config and policy at once, each with its line', async (t) => {
  const file = join(fixtures, 'faulty.yaml')
  const faults = faultsOf(() => loadSettings(file, { DIRECTORY: fixtures }))
  t.strictSame(
    faults.map((fault) => faultText(fault).replaceAll(`${fixtures}/`, '')),
    [
      'faulty.yaml:2: listen.trustedProxies: needed with proxyProtocol: required, as nobody else may speak for a client address',
      'faulty.yaml:3: listen.address: expected a port of at most 65535',
      'faulty.yaml:4: listen.adress: unknown key',
      'faulty.yaml:6: listen.tls.keyFile: missing: expected a text',
      'faulty.yaml:6: listen.tls.clientCaFile: needed where client certificates are asked for',
      'faulty.yaml:7: listen.tls.certFile: cannot read the file no-certificate.pem',
      'faulty.yaml:9: admin.tokenFile: needed where the admin listener is not on loopback',
      'faulty.yaml:11: admin.metricsTokenFile: the environment has no NO_SUCH_VARIABLE',
      'faulty.yaml:13: this key stands twice',
      'faulty.yaml:14: limits: expected a map of keys, found nothing',
      'faulty.yaml:17: store.retention.auditDays: expected a whole number, found a number',
      'faulty.yaml:18: store.retention.sightingsDays: expected at most 3650',
      'faulty.yaml:20: identity.defaultDomain: expected a domain such as example.com',
      'faulty.yaml:23: backends.array.kind: expected one of exchange-on-premises, exchange-online, simulator',
      'faulty.yaml:24: backends.array.servers: expected a list, found a text',
      'faulty.yaml:25: backends.two words: expected a name of at most 40 letters, digits, - and _',
      'faulty.yaml:27: backends.two words.servers.0: expected an http:// or https:// URL',
      'faulty.yaml:27: backends.two words.servers.1: expected scheme, host and port only, such as https://mail.example.com',
      'faulty.yaml:27: backends.two words.servers.2: expected scheme, host and port only, such as https://mail.example.com',
      'faulty.yaml:28: backends.empty.servers: expected at least one server',
      'faulty.yaml:30: backends.empty.caFile: cannot read the file no-ca.pem',
      'faulty.yaml:32: routing.default: no backend is named nowhere',
      'faulty.yaml:34: routing.rules.0.group: expected a text that is not empty',
      'faulty.yaml:34: routing.rules.0.backend: no backend is named elsewhere',
      'faulty.yaml:35: routing.rules.1.group: missing: expected a text',
      'faulty.yaml:37: routing.passthrough.0: expected a path such as /owa, of letters, digits, - and _',
      'faulty.yaml:38: routing.passthrough.1: expected a path such as /owa, of letters, digits, - and _',
      'faulty.yaml:39: routing.passthrough.2: this path is judged by easgate itself and cannot be passed through',
      'faulty.yaml:40: routing.passthrough.3: this path is judged by easgate itself and cannot be passed through',
      'faulty.yaml:42: sources.0.kind: expected one of file, intune, http, push',
      'faulty.yaml:43: sources.1.path: missing: expected a text',
      'faulty.yaml:47: enrollment.publicUrl: expected an http:// or https:// URL',
      'faulty.yaml:49: log.level: expected one of fatal, error, warn, info, debug, silent',
      'faulty.yaml:50: plugins: unknown key',
      'faulty-policy.yaml:3: conditionalAccess.onPremises.mode: expected one of enforce, report-only, off',
      'faulty-policy.yaml:4: conditionalAccess.onPremises.targetGroups: unknown key',
      'faulty-policy.yaml:5: conditionalAccess.onPremises.targetedGroups: expected a list, found nothing',
      'faulty-policy.yaml:6: conditionalAccess.onPremises.exemptedGroups.1: expected a text that is not empty',
      'faulty-policy.yaml:7: conditionalAccess.online: expected a map of keys, found a text',
      'faulty-policy.yaml:8: this key stands twice',
    ],
  )
})

void t.test('the message of the error is every fault, a line each', async (t) => {
  const file = join(t.testdirName, 'easgate.yaml')
  t.throws(() => load(t, 'backends: {}\nrouting: { default: a }\nworkers: many\nlog: 5'), {
    name: 'ConfigError',
    message: [
      `${file}:2: routing.default: no backend is named a`,
      `${file}:3: workers: expected auto, or a whole number from 1 to 256`,
      `${file}:4: log: expected a map of keys, found a number`,
    ].join('\n'),
  })
})

void t.test('names the sections that are missing', async (t) => {
  t.strictSame(
    faultLines(() => load(t, '')),
    ['0 backends: missing: expected a map of names', '0 routing: missing: expected a map of keys'],
  )
})

void t.test('a syntax fault in the policy stands beside the faults of the config', async (t) => {
  t.strictSame(
    faultLines(() => load(t, `${shortest}workers: many`, { 'policy.yaml': 'a: 1\nb: [' })),
    [
      '4 workers: expected auto, or a whole number from 1 to 256',
      '2 : Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
  )
})

void t.test('a file that cannot be read is one fault', async (t) => {
  const missing = join(t.testdir({}), 'easgate.yaml')
  t.match(
    faultsOf(() => loadSettings(missing, {})),
    [{ file: missing, line: 0, path: '', message: /^cannot be read: ENOENT/ }],
  )
  const faults = faultLines(() =>
    loadSettings(
      join(t.testdir({ 'easgate.yaml': `${shortest}policy: { file: nowhere.yaml }` }), 'easgate.yaml'),
    ),
  )
  t.strictSame(faults, ['4 policy.file: cannot read the file nowhere.yaml'])
})

void t.test('a variable that is missing is one fault, not one more for what follows from it', async (t) => {
  const config = `
backends: { exchange: { kind: simulator, caFile: "\${CA_DIRECTORY}/\${CA_FILE}" } }
routing: { default: "\${BACKEND}" }
admin: { tokenFile: "\${TOKEN_FILE}" }
`
  t.strictSame(
    faultLines(() => load(t, config)),
    [
      '2 backends.exchange.caFile: the environment has no CA_DIRECTORY, CA_FILE',
      '3 routing.default: the environment has no BACKEND',
      '4 admin.tokenFile: the environment has no TOKEN_FILE',
    ],
  )
})

void t.test('a directory is not a file', async (t) => {
  t.strictSame(
    faultLines(() => load(t, `${shortest}admin: { tokenFile: . }`)),
    ['4 admin.tokenFile: cannot read the file .'],
  )
})

void t.test('the file of a source may come later: that is an outage, not a fault', async (t) => {
  const { config } = load(t, `${shortest}sources: [{ kind: file, path: nowhere.csv }]`)
  t.strictSame(config.value.sources, [{ kind: 'file', path: 'nowhere.csv' }])
})

void t.test('only a simulator may be without servers', async (t) => {
  const missing = '1 backends.exchange.servers: expected at least one server'
  for (const [kind, faults] of [
    ['simulator', []],
    ['exchange-on-premises', [missing]],
    ['exchange-online', [missing]],
  ] as const) {
    const config = `backends: { exchange: { kind: ${kind}, servers: [] } }\nrouting: { default: exchange }`
    t.strictSame(
      faultLines(() => load(t, config)),
      faults,
      kind,
    )
  }
})

void t.test('names that every object has are no backends', async (t) => {
  for (const name of ['constructor', '__proto__', 'toString']) {
    t.strictSame(
      faultLines(() => load(t, `backends: {}\nrouting: { default: ${name} }`)),
      [`2 routing.default: no backend is named ${name}`],
    )
  }
  t.match(
    faultLines(() =>
      load(t, 'backends: { __proto__: { kind: simulator } }\nrouting: { default: __proto__ }'),
    ),
    ['1 backends.__proto__: expected a name of at most 40 letters, digits, - and _'],
  )
})

void t.test('fills in the defaults', async (t) => {
  const { value } = load(t, shortest).config
  t.match(value, {
    listen: { address: '127.0.0.1:8080', trustedProxies: [], proxyProtocol: 'off' },
    admin: { address: '127.0.0.1:9090' },
    workers: 1,
    limits: { bufferedBodyBytes: 65_536, requestSeconds: 300 },
    store: { path: './data/easgate.db', retention: { auditDays: 400 } },
    backends: { exchange: { kind: 'simulator', servers: [], tlsMinVersion: 'TLSv1.2' } },
    routing: { default: 'exchange', rules: [], passthrough: [] },
    sources: [],
    log: { level: 'info' },
  })
})

void t.test('names are matched in lower case', async (t) => {
  const { value } = load(
    t,
    `
backends: { exchange: { kind: simulator } }
routing: { default: exchange, rules: [{ group: Sales, backend: exchange }] }
identity: { defaultDomain: Example.COM, domains: { EXAMPLE: Example.com } }
`,
  ).config
  t.equal(value.routing.rules[0]?.group, 'sales')
  t.strictSame(value.identity, { defaultDomain: 'example.com', domains: { example: 'example.com' } })
})

void t.test('what is in force cannot be changed', async (t) => {
  const { config, policy } = load(t, shortest)
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(frozen))
  t.ok(frozen(config.value))
  t.ok(frozen(policy.value))
  t.throws(() => Object.assign(config.value.listen, { address: '0.0.0.0:1' }), TypeError)
})

void t.test('the digest follows the text', async (t) => {
  const first = load(t, shortest)
  const same = load(t, shortest)
  const other = load(t, `${shortest}workers: 2`, { 'policy.yaml': 'conditionalAccess: {}' })
  t.match(first.config.digest, /^[0-9a-f]{12}$/)
  t.equal(same.config.digest, first.config.digest)
  t.not(other.config.digest, first.config.digest)
  t.not(other.policy.digest, first.policy.digest)
})

void t.test('reads a policy alone', async (t) => {
  const file = join(
    t.testdir({ 'policy.yaml': 'conditionalAccess: { online: { mode: "${MODE}" } }' }),
    'policy.yaml',
  )
  t.equal(loadPolicy(file, { MODE: 'off' }).value.conditionalAccess.online.mode, 'off')
  t.strictSame(
    faultLines(() => loadPolicy(file, { MODE: 'on' })),
    ['1 conditionalAccess.online.mode: expected one of enforce, report-only, off'],
  )
  t.strictSame(
    faultLines(() => loadPolicy(file, {})),
    ['1 conditionalAccess.online.mode: the environment has no MODE'],
  )
})

void t.test('knows which addresses only this machine reaches', async (t) => {
  for (const address of ['127.0.0.1:9090', '127.1.2.3:1', 'localhost:9090', '[::1]:9090']) {
    t.ok(isLoopback(address), address)
  }
  for (const address of [
    '0.0.0.0:9090',
    '[::]:9090',
    '10.0.0.1:9090',
    '127.0.0.1.example.com:9090',
    '128.0.0.1:1',
  ]) {
    t.notOk(isLoopback(address), address)
  }
})

void t.test('an address that phones cannot be told needs a publicUrl beside it', (t) => {
  for (const address of ['0.0.0.0:8080', '"[::]:8080"']) {
    const listen = (rest: string) => `${shortest}listen: { address: ${address}${rest} }`
    t.match(
      faultLines(() => load(t, listen(''))),
      [/listen\.publicUrl: needed where listen\.address/],
    )
    t.strictSame(
      faultLines(() => load(t, listen(', publicUrl: "https://mail.example.com"'))),
      [],
    )
  }
  t.end()
})

void t.test('a version that a number cannot hold stays what was written', async (t) => {
  const file = join(
    t.testdir({
      'policy.yaml': [
        'compliancePolicies:',
        '  - { name: new, platforms: [Android], rules: { minOsVersion: 17.10, maxOsVersion: 20 } }',
        'maxNewRefusals: 0.25',
      ].join('\n'),
    }),
    'policy.yaml',
  )
  const { compliancePolicies, maxNewRefusals } = loadPolicy(file, {}).value
  t.strictSame(compliancePolicies[0]?.rules, { minOsVersion: '17.10', maxOsVersion: '20' })
  t.equal(maxNewRefusals, 0.25)
})

void t.test('tells what the schema cannot see by its line: faults refuse, warnings do not', async (t) => {
  const folder = t.testdir({
    'shadowed.yaml': [
      'deviceRules:',
      '  - { name: no Samsung, match: { model: SM-* }, action: block }',
      '  - { name: ours, match: { model: SM-T500 }, action: allow }',
    ].join('\n'),
    'open.yaml': [
      'conditionalAccess:',
      '  online:',
      '    unsupportedPlatforms: allow',
      '    exemptedGroups: [Executives]',
    ].join('\n'),
  })
  t.match(
    faultLines(() => loadPolicy(join(folder, 'shadowed.yaml'), {})),
    [/^3 deviceRules\.1: can never match: no Samsung/],
  )
  const { warnings, groups } = loadPolicy(join(folder, 'open.yaml'), {})
  t.match(warnings, [{ line: 3, path: 'conditionalAccess.online.unsupportedPlatforms' }])
  t.match(groups, [{ name: 'executives', fault: { line: 4, message: /no source knows a group executives/ } }])
})
