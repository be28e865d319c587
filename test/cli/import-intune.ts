import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { loadPolicy } from '#config/load.ts'
import { run } from '../support/command.ts'

const fixture = (file: string) => join(import.meta.dirname, '../fixtures/cli/import', file)
const settings = fixture('intune-settings.json')
const policy = fixture('intune-policy-utf16.json')

/** Writes the text into a file of its own and imports it. */
async function imported(t: Test, text: string) {
  const file = join(t.testdir({ 'graph.json': text }), 'graph.json')
  const { status, out, error } = await run('policy', 'import-intune', file)
  return { status, error, rules: parse(out) as { conditionalAccess: { onPremises: unknown } } }
}

void t.test('both documents together are a part of the policy file', async (t) => {
  const output = join(t.testdir(), 'policy.yaml')
  const { status, error } = await run('policy', 'import-intune', settings, policy, '--output', output)
  t.equal(status, 1)
  const { onPremises } = loadPolicy(output).value.conditionalAccess
  t.match(onPremises, {
    mode: 'report-only',
    targetedGroups: ['77c9d466-d466-77c9-66d4-c97766d4c977', '11111111-2222-3333-4444-555555555555'],
    exemptedGroups: ['2a0afae4-fae4-2a0a-e4fa-0a2ae4fa0a2a'],
    defaultAccess: 'quarantine',
    overrideDefaultRule: true,
    platformExceptions: [
      { platform: 'Android', action: 'block' },
      { model: ['iPhone10,5'], action: 'quarantine' },
    ],
  })
  t.match(loadPolicy(output).value.deviceRules, [
    { name: 'iPhone (Intune family)', match: { deviceType: ['iPhone'] }, action: 'allow' },
  ])
  t.match(error.split('\n'), [
    `${settings}: enabled: note: Intune enforces this; mode is report-only`,
    `${settings}: includedGroups: note: groups stand by their ids`,
    `${policy}: value.notificationContent: not carried over: 38 bytes of HTML for refused users`,
    `${policy}: value.accessRules.0.deviceClass.name: note: "Android" stands for every device of the platform`,
    `${policy}: value.accessRules.1.deviceClass.name: note: "iPhone" is no platform, so it is a device rule`,
    `${policy}: value.accessRules.3.deviceClass.name: not carried over: "Nexus*": its * is a plain character`,
    `${policy}: value.accessRules.4.accessLevel: not carried over: "WP8": expected allow, block, quarantine, found none`,
    `${policy}: value.accessRules.5.deviceClass.type: not carried over: "WP8": expected family or model, found vendor`,
    `${policy}: value.accessRules.6: not carried over: expected { deviceClass: { name, type }, accessLevel }`,
    `${policy}: value.conditionalAccessSettings.excludedGroups: not carried over: exemptedGroups was`,
    `${policy}: value.conditionalAccessSettings.overrideDefaultRule: not carried over: overrideDefaultRule was true before`,
    `${policy}: value.newSetting: not carried over: easgate does not know this setting`,
    "Intune's on-premises settings; 8 could not be carried over",
  ])
})

void t.test('settings that say everything we can say are status 0', async (t) => {
  const { status, out, error } = await run('policy', 'import-intune', settings)
  t.equal(status, 0)
  t.match(parse(out), { conditionalAccess: { onPremises: { mode: 'report-only' } } })
  t.match(error, /Intune's on-premises settings; 0 could not be carried over$/)
})

void t.test('what is off stays off, and nobody targeted is said', async (t) => {
  const { status, error, rules } = await imported(
    t,
    '{"enabled":false,"includedGroups":[],"overrideDefaultRule":false}',
  )
  t.equal(status, 0)
  t.strictSame(rules, {
    conditionalAccess: { onPremises: { mode: 'off', targetedGroups: [], overrideDefaultRule: false } },
  })
  t.match(error, /enabled: note: Intune asks nothing here; mode is off/)
  t.match(error, /includedGroups: note: it is empty: nobody is judged/)
})

void t.test('a default that Intune does not know is left to the administrator', async (t) => {
  const { status, error, rules } = await imported(
    t,
    '{"value":[{"defaultAccessLevel":"none","accessRules":null}]}',
  )
  t.equal(status, 1)
  t.strictSame(rules.conditionalAccess.onPremises, {})
  t.match(
    error,
    /value\.0\.defaultAccessLevel: not carried over: found "none"; set defaultAccess to the DefaultAccessLevel of/,
  )
})

void t.test('no value that is wrong is taken for another', async (t) => {
  const text = '{"enabled":"yes","includedGroups":["staff"],"excludedGroups":"x","overrideDefaultRule":1}'
  const { status, error, rules } = await imported(t, text)
  t.equal(status, 1)
  t.strictSame(rules.conditionalAccess.onPremises, {})
  t.match(error.split('\n'), [
    /enabled: not carried over: expected true or false, found/,
    /includedGroups: not carried over: expected a list of group ids, found/,
    /excludedGroups: not carried over: expected a list of group ids, found/,
    /overrideDefaultRule: not carried over: expected true or false, found/,
  ])
  const listed = await imported(
    t,
    '{"accessRules":7,"conditionalAccessSettings":[],"notificationContent":""}',
  )
  t.match(listed.error.split('\n'), [
    /accessRules: not carried over: expected a list$/,
    /conditionalAccessSettings: not carried over: expected an object$/,
    /2 could not be carried over$/,
  ])
})

void t.test('what is no answer of Graph is said to be none', async (t) => {
  for (const [text, message] of [
    ['{', /graph\.json: not carried over: this is not JSON: /],
    ['7', /graph\.json: not carried over: expected an object, as Graph gives it/],
    ['{"value":[]}', /graph\.json: not carried over: expected an object, as Graph gives it/],
    [
      '{"value":[7]}',
      /graph\.json: value\.0: not carried over: expected onPremisesConditionalAccessSettings or/,
    ],
    [
      '{"error":{"code":"Forbidden"}}',
      /graph\.json: not carried over: expected onPremisesConditionalAccessSettings or/,
    ],
  ] as const) {
    const { status, error } = await imported(t, text)
    t.equal(status, 1)
    t.match(error, message)
  }
})

void t.test('a family of devices twice has two names', async (t) => {
  const rule = '{"deviceClass":{"name":"iPhone","type":"family"},"accessLevel":"block"}'
  const { rules } = await imported(t, `{"accessRules":[${rule},${rule}]}`)
  t.match(rules, { deviceRules: [{ name: 'iPhone (Intune family)' }, { name: 'iPhone (Intune family) 2' }] })
})
