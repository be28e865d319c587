import t from 'tap'
import { identifyClient } from '#eas/client/identify-client.ts'
import { compilePolicy } from '#policy/compile.ts'
import { decide } from '#policy/decide.ts'
import { policySchema } from '#policy/schema.ts'
import { readDeviceOs } from '#cli/import/device-os.ts'
import rows from '../../fixtures/cli/import/device-os.json' with { type: 'json' }
import { usualFacts, usualRequest } from '../../support/policy-rows.ts'

void t.test('a DeviceOS text is read as a rule says it', async (t) => {
  for (const { text, proves, ...expected } of rows) t.strictSame(readDeviceOs(text), expected, proves)
})

/** What a device that sends this text as its OS gets, where only the imported rule stands. */
function decided(text: string, match: { readonly os: string; readonly osVersion: string }) {
  const rule = { name: 'imported', match, action: 'block', unknownVersionFits: false }
  const onPremises = { mode: 'off' }
  const policy = policySchema.parse({ conditionalAccess: { onPremises }, deviceRules: [rule] })
  const { device: _, ...facts } = usualFacts
  const client = identifyClient({ information: { os: text } })
  return decide({ ...usualRequest, client }, facts, compilePolicy(policy), 0).action
}

void t.test('the device that sends the text fits the rule that is made of it', async (t) => {
  for (const { text, os, osVersion } of rows) {
    if (os === undefined || osVersion === undefined) continue
    t.equal(decided(text, { os, osVersion }), 'block', text)
    t.equal(decided(text.replace(/\d.*/, '98.7'), { os, osVersion }), 'allow', `${text}: another version`)
    t.equal(decided(text.replace(/ \d.*/, ''), { os, osVersion }), 'allow', `${text}: no version`)
  }
})
