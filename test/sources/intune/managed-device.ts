import t from 'tap'
import { matchKeys, type MatchKey } from '#config/intune-source.ts'
import { readManagedDevice, sourceDevice } from '#sources/intune/managed-device.ts'
import rows from '../../fixtures/sources/managed-devices.json' with { type: 'json' }

const id = '705c034c-034c-705c-4c03-5c704c035c70'

function read(fields: object, matchBy: readonly MatchKey[] = matchKeys) {
  return readManagedDevice({ id, ...fields }, matchBy)
}

void t.test('reads records as Graph gives them', async (t) => {
  for (const { title, record, device } of rows.good) {
    t.strictSame(read(record), { device: { recordId: id, ...device } }, title)
  }
})

void t.test(
  'a record that is not what the documentation says is skipped with its id, never guessed',
  async (t) => {
    for (const { title, record, field } of rows.malformed) {
      const found = read(record)
      t.match(found, { malformed: { id: 'id' in record ? (record.id ?? '') : id, field } }, title)
    }
    for (const value of [null, 7, 'x', []])
      t.match(readManagedDevice(value, matchKeys), { malformed: { id: '' } })
  },
)

void t.test('the ids of a device come in the order of matchBy', async (t) => {
  const record = {
    easDeviceId: 'ApplEAS',
    azureADDeviceId: '9E3490A3-0000-4000-8000-06a786dd605f',
    serialNumber: 'F2LX1234',
    operatingSystem: 'iOS',
  }
  const idsBy = (...keys: readonly MatchKey[]) => {
    const found = read(record, keys)
    return 'device' in found ? found.device.deviceIds : found
  }
  t.same(idsBy(...matchKeys), ['ApplEAS', id, '9e3490a3-0000-4000-8000-06a786dd605f', 'ApplF2LX1234'])
  t.same(idsBy('serialNumber', 'easDeviceId'), ['ApplF2LX1234', 'ApplEAS'])
  t.same(idsBy('managedDeviceId'), [id])
})

void t.test('a device that no phone could present is none for the store', async (t) => {
  const found = read({ userPrincipalName: 'a@x' }, ['easDeviceId'])
  t.ok('device' in found)
  if ('device' in found) t.equal(sourceDevice(found.device, 'a@x'), undefined)
})
