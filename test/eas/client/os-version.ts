import t from 'tap'
import { compareVersions, newestVersion, parseVersion, unpackSamsungVersion } from '#eas/client/os-version.ts'
import samsungVersions from '../../fixtures/clients/samsung-versions.json' with { type: 'json' }

void t.test('unpacks the version in a Samsung agent', async (t) => {
  for (const { packed, osVersion } of samsungVersions)
    t.equal(unpackSamsungVersion(packed), osVersion, packed)
  for (const packed of ['0', '00', '012', '00102']) t.equal(unpackSamsungVersion(packed), undefined, packed)
})

void t.test('orders versions by number', async (t) => {
  const ordered = ['9', '9.0.1', '10', '15.8.8', '16.7', '16.7.2', '16.7.10', '26.0']
  const parsed = ordered.map((text) => parseVersion(text) ?? [])
  t.strictSame(parsed.toReversed().toSorted(compareVersions), parsed)
  t.equal(compareVersions([16, 7], [16, 7, 0]), 0)
  t.equal(newestVersion(ordered.toReversed()), '26.0')
  t.equal(newestVersion(['none', '4.0']), '4.0')
  t.equal(newestVersion([]), undefined)
})

void t.test('reads the dotted number that a text starts with', async (t) => {
  t.strictSame(parseVersion('17.5.1 (21F90)'), [17, 5, 1])
  t.strictSame(parseVersion('14'), [14])
  t.strictSame(parseVersion('10.0.19045.4291'), [10, 0, 19045, 4291])
  t.strictSame(parseVersion('17.'), [17])
  t.strictSame(parseVersion('17..4'), [17])
  t.strictSame(parseVersion('1.2.3.4.5.6.7.8.9'), [1, 2, 3, 4, 5, 6, 7, 8], 'eight numbers at most')
  t.strictSame(parseVersion('1234567890.1'), [123456789], 'of nine digits at most')
  for (const text of ['', 'iOS 17', '.5', 'unknown', '-1']) t.equal(parseVersion(text), undefined, text)
})
