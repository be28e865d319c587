import t, { type Test } from 'tap'
import { deviceKey } from '#eas/device-id.ts'
import type { IntuneContext } from '#sources/intune/context.ts'
import { createDeviceRecords } from '#sources/intune/device-records.ts'
import { sweepManagedDevices } from '#sources/intune/device-sweep.ts'
import { createDirectoryDevices } from '#sources/intune/directory-devices.ts'
import type { ScenarioInput } from '../../support/graph-double/scenario.ts'
import { intuneTest, type IntuneTestOptions } from '../../support/intune.ts'

const adele = 'adele@contoso.example'
const guid = (number: number) => `a0000000-0000-4000-8000-${String(number).padStart(12, '0')}`

/** Adele's phones: `ApplONE`, `ApplTWO`, … with the ids of 1, 2, … */
function phones(count: number): ScenarioInput {
  return {
    users: [
      { userPrincipalName: adele, id: guid(900) },
      { userPrincipalName: 'bob@contoso.example', id: guid(901) },
    ],
    managedDevices: Array.from({ length: count }, (_, at) => ({
      id: guid(at + 1),
      userPrincipalName: adele,
      userId: guid(900),
      easDeviceId: `Appl${at + 1}`,
    })),
  }
}

/** A text of a record of the double. */
function textIn(record: Readonly<Record<string, unknown>>, field: string): string {
  const value = record[field]
  return typeof value === 'string' ? value : ''
}

async function swept(t: Test, scenario: ScenarioInput, options?: IntuneTestOptions) {
  const test = await intuneTest(t, scenario, options)
  const { context, store, signal } = test
  const directory = createDirectoryDevices(context)
  const records = createDeviceRecords(context, directory)
  const progress: number[] = []
  const sweep = () =>
    sweepManagedDevices(context, { records, directory, onProgress: (read) => progress.push(read), signal })
  return {
    ...test,
    directory,
    progress,
    sweep,
    factsOf: (user: string, deviceId: string) => store.deviceFacts(user, deviceKey(deviceId))?.value,
  }
}

void t.test('reads every device, page by page, and tells how far it is', async (t) => {
  const { sweep, store, progress, factsOf, double } = await swept(t, {
    generated: { devices: 1000, users: 300 },
  })
  store.setPartComplete('intune', 'users')
  const report = await sweep()
  t.match(report, { records: 1000, faults: 0, kept: 0 })
  t.same(progress, [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
  t.equal(store.sourcesComplete(), true)
  const device = await double.get('managedDevices', 1)
  t.match(factsOf(textIn(device, 'userPrincipalName').toLowerCase(), textIn(device, 'easDeviceId')), {
    platform: device['operatingSystem'],
    model: device['model'],
    origin: { sources: ['intune'] },
  })
  t.ok((await double.counts()).routes.managedDevices?.requests === 10)
})

void t.test('the source is complete only when the users are read too', async (t) => {
  const { sweep, store } = await swept(t, phones(1))
  await sweep()
  t.equal(store.sourcesComplete(), false)
  t.match(store.syncState('intune'), { outcome: 'partial' })
})

void t.test('a second reading that finds the same is no change', async (t) => {
  const { sweep, changes } = await swept(t, { generated: { devices: 500, users: 100 } })
  await sweep()
  changes.length = 0
  await sweep()
  t.same(changes, [])
})

void t.test(
  'several records with one easDeviceId: the enrolled one counts, and no reading swaps them',
  async (t) => {
    const shared = { userPrincipalName: adele, easDeviceId: 'ApplX' }
    const scenario = {
      managedDevices: [
        { ...shared, id: guid(1), managementAgent: 'eas', complianceState: 'unknown' },
        {
          ...shared,
          id: guid(2),
          managementAgent: 'mdm',
          lastSyncDateTime: '2025-06-01T00:00:00Z',
          osVersion: '17',
        },
        {
          ...shared,
          id: guid(3),
          managementAgent: 'mdm',
          lastSyncDateTime: '2025-01-01T00:00:00Z',
          osVersion: '16',
        },
      ],
    }
    const { sweep, factsOf, changes } = await swept(t, scenario)
    await sweep()
    t.match(factsOf(adele, 'applx'), { enrolled: true, osVersion: '17' })
    changes.length = 0
    await sweep()
    t.same(changes, [])
  },
)

void t.test('managementAgent eas alone is not enrolled', async (t) => {
  const { sweep, factsOf } = await swept(t, {
    managedDevices: [
      { userPrincipalName: adele, easDeviceId: 'ApplX', managementAgent: 'eas', easActivated: true },
    ],
  })
  await sweep()
  t.match(factsOf(adele, 'ApplX'), { enrolled: false, activated: undefined })
})

void t.test(
  'a bulk list that misses devices revokes nothing: each absence is asked for by itself',
  async (t) => {
    const { sweep, factsOf, double, store } = await swept(t, phones(3))
    store.setPartComplete('intune', 'users')
    await sweep()
    await double.hide('managedDevices', guid(1))
    await double.remove('managedDevices', guid(2))
    const report = await sweep()
    t.match(report, { records: 1, kept: 1, error: undefined })
    t.equal(
      factsOf(adele, 'Appl1')?.complianceState,
      'compliant',
      'the call for the one record still gives it',
    )
    t.equal(factsOf(adele, 'Appl2'), undefined, 'its 404 says that it is gone')
    t.match(store.syncState('intune'), { outcome: 'complete' })
  },
)

void t.test('what is found where the list missed it is taken as it is now', async (t) => {
  const { sweep, factsOf, double } = await swept(t, phones(2))
  await sweep()
  await double.change('managedDevices', guid(1), { complianceState: 'noncompliant' })
  await double.hide('managedDevices', guid(1))
  await sweep()
  t.equal(factsOf(adele, 'Appl1')?.complianceState, 'noncompliant')
})

void t.test('an absence that cannot be looked into changes nothing', async (t) => {
  const { sweep, factsOf, double, logged } = await swept(t, phones(2))
  await sweep()
  await double.remove('managedDevices', guid(1))
  await double.behave({ faults: [{ route: 'managedDevice', does: { kind: 'status', status: 403 } }] })
  t.match(await sweep(), { kept: 1 })
  t.equal(factsOf(adele, 'Appl1')?.complianceState, 'compliant')
  t.match(logged.at(-1), { level: 'warn', message: /could be looked into/ })
  await double.behave({ faults: [] })
  t.match(await sweep(), { kept: 0 })
  t.equal(factsOf(adele, 'Appl1'), undefined)
})

void t.test('a sudden large drop keeps the old set and alarms (T-56)', async (t) => {
  const { sweep, factsOf, double, logged, store, time } = await swept(t, {
    generated: { devices: 200, users: 50 },
  })
  store.setPartComplete('intune', 'users')
  await sweep()
  const first = time.now
  time.now += 60_000
  await double.behave({ lists: { droppedShare: 0.5 } })
  await double.resetCounts()
  const report = await sweep()
  t.match(report, { error: /Graph lists \d+ of \d+ managed devices no longer; they are kept/ })
  t.equal((await double.counts()).routes.managedDevice, undefined, 'nobody asks for a hundred records')
  t.match(logged.at(-1), { level: 'error', known: Number })
  t.match(store.syncState('intune'), { outcome: 'partial', error: /no longer/, completeAt: first })
  const rows = await store.devices({ limit: 1000 })
  t.ok(rows.devices.length >= 190, 'all are still there')
  const ages = new Set(rows.devices.map(({ records }) => records[0]?.asOf))
  t.same(ages, new Set([first, time.now]), 'with their true ages')
  await double.behave({ lists: {} })
  t.match(await sweep(), { error: undefined })
  t.equal(factsOf('nobody', 'x'), undefined)
})

void t.test('maxDrop lets a large drop pass, still record by record', async (t) => {
  const { sweep, factsOf, double } = await swept(t, phones(30), { settings: { maxDrop: 1 } })
  await sweep()
  for (let number = 1; number <= 29; number++) await double.remove('managedDevices', guid(number))
  await double.hide('managedDevices', guid(30))
  t.match(await sweep(), { kept: 1, error: undefined })
  t.equal(factsOf(adele, 'Appl29'), undefined)
  t.equal(factsOf(adele, 'Appl30')?.enrolled, true)
})

void t.test('a device that changes hands leaves its old owner', async (t) => {
  const { sweep, factsOf, double } = await swept(t, phones(2))
  await sweep()
  const bob = { userPrincipalName: 'bob@contoso.example', userId: guid(901) }
  await double.change('managedDevices', guid(1), bob)
  await sweep()
  t.equal(factsOf(adele, 'Appl1'), undefined)
  t.equal(factsOf('bob@contoso.example', 'Appl1')?.enrolled, true)
})

void t.test('an id that is remade leaves nothing under the old one', async (t) => {
  const { sweep, factsOf, double } = await swept(t, phones(1))
  await sweep()
  await double.change('managedDevices', guid(1), { easDeviceId: 'ApplREMADE' })
  await sweep()
  t.equal(factsOf(adele, 'Appl1'), undefined)
  t.equal(factsOf(adele, 'ApplREMADE')?.enrolled, true)
})

void t.test('another matchBy moves every row without a question, and without an alarm', async (t) => {
  const { sweep, factsOf, context, double, store } = await swept(t, phones(40))
  await sweep()
  const directory = createDirectoryDevices(context)
  const other: IntuneContext = { ...context, settings: { ...context.settings, matchBy: ['managedDeviceId'] } }
  await double.resetCounts()
  const report = await sweepManagedDevices(other, {
    records: createDeviceRecords(other, directory),
    directory,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  })
  t.match(report, { kept: 0, error: undefined })
  t.equal((await double.counts()).routes.managedDevice, undefined)
  t.equal(factsOf(adele, 'Appl1'), undefined)
  t.equal(factsOf(adele, guid(1))?.enrolled, true)
  t.equal(store.check().rows['device_facts'], 40)
})

void t.test(
  'a phone is found by managed id, directory id and serial number where easDeviceId is empty',
  async (t) => {
    const { sweep, factsOf } = await swept(t, {
      managedDevices: [
        {
          id: guid(1),
          userPrincipalName: adele,
          easDeviceId: null,
          azureADDeviceId: guid(2),
          serialNumber: 'J3049BA2Z38',
          operatingSystem: 'iOS',
        },
        { id: guid(3), userPrincipalName: 'bob@contoso.example', easDeviceId: '' },
      ],
    })
    await sweep()
    for (const id of [guid(1).toUpperCase(), guid(1).replaceAll('-', ''), guid(2), 'applJ3049BA2Z38']) {
      t.match(factsOf(adele, id), { enrolled: true, activated: true }, id)
      t.equal(factsOf('bob@contoso.example', id), undefined, 'owner must match')
    }
  },
)

void t.test('a user who was renamed is found by id, also where Intune has the old name', async (t) => {
  const { sweep, factsOf, store } = await swept(t, phones(1))
  await store.upsert('intune', [{ user: 'adele.new@contoso.example', aliases: [guid(900)] }])
  await sweep()
  t.equal(factsOf('adele.new@contoso.example', 'Appl1')?.enrolled, true)
  t.equal(factsOf(adele, 'Appl1'), undefined)
})

void t.test("a device without a user is nobody's, and no fault", async (t) => {
  const { sweep, store } = await swept(t, {
    managedDevices: [
      { userPrincipalName: '', userId: '', easDeviceId: 'ApplX' },
      { userPrincipalName: adele },
    ],
  })
  t.match(await sweep(), { records: 2, faults: 0 })
  t.equal(store.check().rows['device_facts'], 1)
})

void t.test(
  'malformed records are counted and skipped with their id; what was known of them stands',
  async (t) => {
    const { sweep, factsOf, double, logged } = await swept(t, phones(3))
    await sweep()
    await double.change('managedDevices', guid(1), { complianceState: 7 })
    const report = await sweep()
    t.match(report, { records: 3, faults: 1, kept: 1 })
    t.match(logged, [
      { level: 'warn', id: guid(1), field: 'complianceState', message: 'a record is not taken' },
    ])
    t.equal(factsOf(adele, 'Appl1')?.complianceState, 'compliant')
  },
)

void t.test('a reading that breaks off removes nothing, and leaves what it read', async (t) => {
  const { sweep, factsOf, double, store } = await swept(t, { generated: { devices: 300, users: 300 } })
  await sweep()
  const count = store.check().rows['device_facts']
  const changed = await double.get('managedDevices', 0)
  await double.change('managedDevices', 0, { complianceState: 'conflict' })
  await double.behave({ lists: { loopAtPage: 1, droppedShare: 0.1 } })
  await t.rejects(sweep(), { message: /leads in a circle/ })
  t.equal(store.check().rows['device_facts'], count)
  const user = textIn(changed, 'userPrincipalName').toLowerCase()
  t.equal(factsOf(user, textIn(changed, 'easDeviceId'))?.complianceState, 'conflict')
})

void t.test('a permission that lacks is told with the fix', async (t) => {
  const { sweep } = await swept(t, { ...phones(1), apps: [{ permissions: ['User.Read.All'] }] })
  await t.rejects(sweep(), {
    code: 'GRAPH_FORBIDDEN',
    message: /grant the application permission DeviceManagementManagedDevices\.Read\.All to app/,
  })
})
