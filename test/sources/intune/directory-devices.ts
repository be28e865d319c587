import t, { type Test } from 'tap'
import { createDirectoryDevices } from '#sources/intune/directory-devices.ts'
import type { ManagedDevice } from '#sources/intune/managed-device.ts'
import type { ScenarioInput } from '../../support/graph-double/scenario.ts'
import { intuneTest } from '../../support/intune.ts'

const guid = (number: number) => `a0000000-0000-4000-8000-${String(number).padStart(12, '0')}`
const [ordinary, joined] = [guid(501), guid(502)]

async function directoryOf(t: Test, behaviour: ScenarioInput['behaviour'] = {}) {
  const test = await intuneTest(t, {
    directoryDevices: [
      { id: guid(1), deviceId: ordinary, accountEnabled: true, trustType: 'Workplace' },
      { id: guid(2), deviceId: joined, accountEnabled: true, trustType: 'ServerAd' },
    ],
    behaviour,
  })
  const directory = createDirectoryDevices(test.context)
  const managed = (azureADDeviceId: string): ManagedDevice => ({
    recordId: guid(9),
    deviceIds: ['ApplX'],
    azureADDeviceId,
    facts: { registered: true },
  })
  return {
    ...test,
    directory,
    read: () => directory.read(test.signal),
    factsOf: (id: string) => directory.factsOf(managed(id)),
  }
}

void t.test(
  'a device that is disabled in the directory is not registered; a joined PC is joined',
  async (t) => {
    const { directory, read, factsOf, double } = await directoryOf(t)
    t.ok(directory.keepHeld, 'before the first reading nothing is known')
    t.strictSame(await read(), [], 'the sweep beside it tells its rows')
    t.equal(directory.keepHeld, undefined)
    t.strictSame(factsOf(ordinary), { registered: true })
    t.strictSame(factsOf(joined), { registered: true, domainJoined: true })

    await double.change('directoryDevices', guid(1), { accountEnabled: false })
    t.strictSame(await read(), [ordinary])
    t.strictSame(factsOf(ordinary), { registered: false })
    t.strictSame(await read(), [], 'told once')

    await double.change('directoryDevices', guid(1), { accountEnabled: true })
    t.strictSame(await read(), [ordinary])
    t.strictSame(factsOf(ordinary), { registered: true })
  },
)

void t.test('a delta may repeat items, and names what is gone by the id of its record only', async (t) => {
  const { read, factsOf, double } = await directoryOf(t, { delta: { repeatItems: true, pageSize: 1 } })
  await read()
  t.strictSame(factsOf(joined), { registered: true, domainJoined: true })
  await double.remove('directoryDevices', guid(2))
  t.strictSame(await read(), [joined])
  t.strictSame(factsOf(joined), { registered: true })
})

void t.test('a delta token that is too old starts over, and what changed meanwhile is seen', async (t) => {
  for (const expiredStatus of [410, 400] as const) {
    const { read, factsOf, double } = await directoryOf(t, { delta: { expiredStatus } })
    await read()
    await double.expireDeltaTokens()
    await double.change('directoryDevices', guid(1), { accountEnabled: false })
    t.strictSame(await read(), [ordinary], String(expiredStatus))
    t.strictSame(factsOf(ordinary), { registered: false })
  }
})
