import t from 'tap'
import { intuneSource } from '#config/intune-source.ts'
import rows from '../fixtures/config/intune-source.json' with { type: 'json' }

const shortest = {
  kind: 'intune',
  tenantId: 'contoso.onmicrosoft.com',
  clientId: '5C1D2B8A-0E57-4F5E-8A3D-2F0C9B7E4D21',
  clientSecretFile: 'secret',
}

void t.test('names the public cloud and matches by every id where nothing else is said', async (t) => {
  t.strictSame(intuneSource.parse(shortest), {
    ...shortest,
    clientId: '5c1d2b8a-0e57-4f5e-8a3d-2f0c9b7e4d21',
    graphUrl: 'https://graph.microsoft.com',
    authorityUrl: 'https://login.microsoftonline.com',
    interval: 60_000,
    sweepInterval: 900_000,
    matchBy: ['easDeviceId', 'managedDeviceId', 'azureADDeviceId', 'serialNumber'],
    pageSize: 500,
    maxDrop: 0.2,
  })
})

void t.test('tells what is wrong by its key', async (t) => {
  for (const { title, keys, faults } of rows) {
    const given = Object.entries({ ...shortest, ...keys }).filter(([, value]) => value !== null)
    const { success, error } = intuneSource.safeParse(Object.fromEntries(given))
    const found = error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
    t.equal(success, faults.length === 0, title)
    t.strictSame(found, faults, title)
  }
})
