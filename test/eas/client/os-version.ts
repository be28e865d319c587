import t from 'tap'
import { compareVersions, unpackSamsungVersion } from '#eas/client/os-version.ts'
import samsungVersions from '../../fixtures/clients/samsung-versions.json' with { type: 'json' }

void t.test('unpacks the version in a Samsung agent', async (t) => {
  for (const { packed, osVersion } of samsungVersions)
    t.equal(unpackSamsungVersion(packed), osVersion, packed)
  for (const packed of ['0', '00', '012', '00102']) t.equal(unpackSamsungVersion(packed), undefined, packed)
})

void t.test('orders versions by number', async (t) => {
  const ordered = ['9', '9.0.1', '10', '15.8.8', '16.7', '16.7.2', '16.7.10', '26.0']
  t.strictSame(ordered.toReversed().toSorted(compareVersions), ordered)
  t.equal(compareVersions('16.7', '16.7.0'), 0)
})
