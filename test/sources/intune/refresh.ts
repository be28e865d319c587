import t, { type Test } from 'tap'
import { deviceKey } from '#eas/device-id.ts'
import { systemClock } from '#sources/clock.ts'
import { createDeviceRecords } from '#sources/intune/device-records.ts'
import { createDirectoryDevices } from '#sources/intune/directory-devices.ts'
import { createGroups } from '#sources/intune/groups.ts'
import { createRefresh } from '#sources/intune/refresh.ts'
import type { ScenarioInput } from '../../support/graph-double/scenario.ts'
import { intuneTest } from '../../support/intune.ts'
import { manualClock } from '../../support/manual-clock.ts'

const adele = 'adele@contoso.example'
const bob = 'bob@contoso.example'
const guid = (number: number) => `a0000000-0000-4000-8000-${String(number).padStart(12, '0')}`

const scenario: ScenarioInput = {
  users: [
    {
      id: guid(900),
      userPrincipalName: adele,
      mail: 'adele.vance@mail.example',
      proxyAddresses: ['SMTP:adele.vance@mail.example', 'smtp:av@mail.example'],
    },
    { id: guid(901), userPrincipalName: bob },
  ],
  managedDevices: [
    { id: guid(1), userId: guid(900), userPrincipalName: adele, easDeviceId: 'ApplA' },
    { id: guid(2), userId: guid(901), userPrincipalName: bob, easDeviceId: 'ApplB' },
  ],
}

async function refreshed(t: Test) {
  const test = await intuneTest(t, scenario)
  const { context, store, signal, double } = test
  const directory = createDirectoryDevices(context)
  const records = createDeviceRecords(context, directory)
  const groups = createGroups(context)
  const clock = manualClock()
  const refresh = createRefresh(context, { records, directory, groups, clock, stop: signal })
  return {
    ...test,
    clock,
    refresh: (user: string) => refresh(user, signal),
    refreshUntil: refresh,
    factsOf: (user: string, deviceId: string) => store.deviceFacts(user, deviceKey(deviceId))?.value,
    asked: async () => (await double.counts()).routes.userManagedDevices?.requests ?? 0,
  }
}

void t.test(
  'a crowd of phones of one user is one question, and one more a second later (T-50)',
  async (t) => {
    const { refresh, asked, clock, factsOf } = await refreshed(t)
    await Promise.all(Array.from({ length: 20 }, () => refresh(adele)))
    t.equal(await asked(), 1)
    t.match(factsOf(adele, 'ApplA'), { complianceState: 'compliant' })
    const later = Promise.all([refresh(adele), refresh(adele.toUpperCase())])
    await clock.asleep()
    t.strictSame(clock.sleeping(), [1000])
    await clock.advance(1000)
    await later
    t.equal(await asked(), 2)
  },
)

void t.test('look-ups ask with high priority', async (t) => {
  const { refresh, double } = await refreshed(t)
  await refresh(adele)
  const calls = (await double.requests()).filter(({ route }) => route !== 'token')
  t.ok(calls.length >= 2)
  t.ok(calls.every(({ priority }) => priority === 'high'))
})

void t.test(
  'userPrincipalName is not the primary address: any name of the user leads to the phone',
  async (t) => {
    for (const name of ['adele.vance@mail.example', 'av@mail.example']) {
      const { refresh, factsOf, store } = await refreshed(t)
      await refresh(name)
      t.equal(store.resolve(name), adele, name)
      t.ok(factsOf(adele, 'ApplA'), name)
    }
  },
)

void t.test(
  "a filter with an empty value lists everybody's devices: nobody is asked for without a name",
  async (t) => {
    const { refresh, double, store } = await refreshed(t)
    for (const name of ['', ' ', 'a\u0000b']) await refresh(name)
    t.same((await double.counts()).total.requests, 0)
    t.equal(store.check().rows['device_facts'], 0)
  },
)

void t.test('a user whom Entra does not know changes nothing', async (t) => {
  const { refresh, store, factsOf } = await refreshed(t)
  await refresh('nobody@contoso.example')
  t.equal(store.check().rows['device_facts'], 0)
  t.equal(factsOf(adele, 'ApplA'), undefined)
})

void t.test("a foreign record among a user's devices is no match", async (t) => {
  const { refresh, double, factsOf, context, signal } = await refreshed(t)
  // a Graph that lists everything, whoever is asked for
  const { client } = context
  const everything = client.urlOf('/deviceManagement/managedDevices')
  const lying: typeof client = {
    ...client,
    ask: (request) =>
      client.ask(/managedDevices/.test(request.url) ? { ...request, url: everything } : request),
  }
  const lied = { ...context, client: lying }
  const directory = createDirectoryDevices(lied)
  const deps = {
    records: createDeviceRecords(lied, directory),
    directory,
    groups: createGroups(lied),
    clock: systemClock,
    stop: signal,
  }
  await createRefresh(lied, deps)(adele, signal)
  t.ok(factsOf(adele, 'ApplA'))
  t.equal(factsOf(adele, 'ApplB'), undefined)
  t.equal(factsOf(bob, 'ApplB'), undefined)
  await refresh(bob)
  t.ok(factsOf(bob, 'ApplB'), 'as he is asked for himself')
  t.ok((await double.counts()).total.requests > 0)
})

void t.test('who gives up leaves the question to the others', async (t) => {
  const { refresh, refreshUntil, double, factsOf } = await refreshed(t)
  await double.behave({ faults: [{ route: 'userManagedDevices', does: { kind: 'hang' } }] })
  const impatient = new AbortController()
  const first = refreshUntil(adele, impatient.signal)
  const second = refresh(adele)
  await double.waitFor({ route: 'userManagedDevices', state: 'arrived' })
  impatient.abort(new Error('gone'))
  await t.rejects(first, { message: 'gone' })
  await double.release()
  await second
  t.ok(factsOf(adele, 'ApplA'))
})
