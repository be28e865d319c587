import t from 'tap'
import { versionOf, viewDevice } from '#policy/device-view.ts'
import { usualRequest } from '../support/policy-rows.ts'

const { client } = usualRequest

void t.test('what the MDM says beats what the client claims', async (t) => {
  const record = { platform: 'Android', osVersion: '14', model: 'Pixel 8' }
  t.strictSame(viewDevice(record, client), {
    platform: 'Android',
    platformOnRecord: true,
    osVersion: '14',
    model: 'Pixel 8',
  })
  t.equal(viewDevice({ platform: 'iPadOS' }, client).platform, 'iOS')
})

void t.test('where the record is silent the claim stands, as a claim', async (t) => {
  t.strictSame(viewDevice(undefined, client), {
    platform: 'iOS',
    platformOnRecord: false,
    osVersion: '17.5.1',
    model: 'iPhone 15',
  })
  t.match(viewDevice({ platform: '__proto__' }, client), { platform: 'iOS', platformOnRecord: false })
  t.equal(viewDevice(undefined, { ...client, osVersion: 'unknown' }).osVersion, undefined)
})

void t.test('a version claimed of another system says nothing of this one', async (t) => {
  t.equal(viewDevice({ platform: 'Android' }, client).osVersion, undefined)
})

void t.test('Windows as it is sold counts as it calls itself', async (t) => {
  const versions: Record<string, readonly number[]> = {
    '7': [6, 1],
    '8': [6, 2],
    '8.0': [6, 2],
    '8.1': [6, 3],
    '10': [10],
    '6.3.9600': [6, 3, 9600],
    '10.0.19045': [10, 0, 19045],
  }
  for (const [osVersion, numbers] of Object.entries(versions)) {
    t.strictSame(versionOf({ platform: 'Windows', osVersion }), numbers, osVersion)
  }
  t.strictSame(versionOf({ platform: 'iOS', osVersion: '8.1' }), [8, 1])
  t.equal(versionOf({ platform: 'iOS', osVersion: undefined }), undefined)
})
