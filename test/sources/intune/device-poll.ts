import t, { type Test } from 'tap'
import { deviceKey } from '#eas/device-id.ts'
import { createDevicePoll } from '#sources/intune/device-poll.ts'
import { createDeviceRecords } from '#sources/intune/device-records.ts'
import { createDirectoryDevices } from '#sources/intune/directory-devices.ts'
import type { ScenarioInput } from '../../support/graph-double/scenario.ts'
import { intuneTest, readAt } from '../../support/intune.ts'

const adele = 'adele@contoso.example'
const guid = (number: number) => `a0000000-0000-4000-8000-${String(number).padStart(12, '0')}`

/** Two phones of Adele's; the second one has checked in lately. */
const scenario: ScenarioInput = {
  users: [{ id: guid(900), userPrincipalName: adele }],
  managedDevices: [1, 2].map((number) => ({
    id: guid(number),
    userId: guid(900),
    userPrincipalName: adele,
    easDeviceId: `Appl${number}`,
    azureADDeviceId: guid(500 + number),
    lastSyncDateTime: number === 2 ? new Date(readAt).toISOString() : '2025-06-01T00:00:00Z',
  })),
}

async function polled(t: Test, behaviour: ScenarioInput['behaviour'] = {}) {
  const test = await intuneTest(t, { ...scenario, behaviour })
  const directory = createDirectoryDevices(test.context)
  const poll = createDevicePoll(test.context, createDeviceRecords(test.context, directory), directory)
  return {
    ...test,
    poll,
    factsOf: (deviceId: string) => test.store.deviceFacts(adele, deviceKey(deviceId))?.value,
  }
}

void t.test('asks for the devices that checked in lately, and for no others', async (t) => {
  const { poll, signal, factsOf, double, time } = await polled(t)
  await poll.read(signal)
  t.ok(factsOf('Appl2'))
  t.equal(factsOf('Appl1'), undefined)

  time.now += 60_000
  await double.change('managedDevices', guid(1), {
    complianceState: 'noncompliant',
    lastSyncDateTime: new Date(time.now).toISOString(),
  })
  await poll.read(signal)
  t.match(factsOf('Appl1'), { complianceState: 'noncompliant' })
})

void t.test(
  'a filter that Graph ignores without a word is noticed, told once, and its list not followed',
  async (t) => {
    const { poll, signal, factsOf, logged, double } = await polled(t, {
      filters: { supported: [] },
      lists: { maxPageSize: 1 },
    })
    await poll.read(signal)
    await poll.read(signal)
    t.equal(factsOf('Appl1'), undefined, 'what was not asked for is not taken')
    t.match(logged, [{ level: 'warn', message: /ignores a filter/ }])
    t.equal(logged.length, 1)
    t.ok(((await double.counts()).routes.managedDevices?.requests ?? 0) <= 4, 'at most one page ahead')
  },
)

void t.test(
  'a device of which the directory tells is read by itself, a foreign record is no match',
  async (t) => {
    const { poll, signal, factsOf } = await polled(t)
    await poll.readByDirectoryId([guid(501)], signal)
    t.ok(factsOf('Appl1'))
    t.equal(factsOf('Appl2'), undefined)

    const lying = await polled(t, { filters: { supported: [] } })
    await lying.poll.readByDirectoryId([guid(501)], lying.signal)
    t.equal(lying.factsOf('Appl2'), undefined)
  },
)
