import t from 'tap'
import { claimedSignature, isSignedBy, readSecrets } from '#sources/push/signature.ts'
import { otherPushSecret, pushSecret, signedHeaders } from '../../support/signed-push.ts'

const hex = 'ab'.repeat(32)

void t.test('the two headers have one form each', async (t) => {
  t.strictSame(claimedSignature('1767225600', `v1=${hex}`), {
    timestamp: '1767225600',
    signedAt: 1_767_225_600_000,
    signature: hex,
  })
  t.equal(claimedSignature('1767225600.25', `v1=${hex}`)?.signedAt, 1_767_225_600_250)
  for (const timestamp of [
    undefined,
    '',
    '176722560',
    '17672256000',
    '1767225600.',
    '1767225600.1234',
    '-176722560',
    '+1767225600',
    ' 1767225600',
    '1767225600,1767225600',
    '1.7672256e9',
    '0x6955b900',
    '2026-01-01T00:00:00Z',
    'NaN',
  ]) {
    t.equal(claimedSignature(timestamp, `v1=${hex}`), undefined, `timestamp ${timestamp}`)
  }
  for (const signature of [
    undefined,
    '',
    hex,
    `v1=${hex.toUpperCase()}`,
    `v1=${hex}00`,
    `v1=${hex.slice(2)}`,
    `v2=${hex}`,
    `v1=${hex},v1=${hex}`,
    `v1=${hex}\n`,
    `sha256=${hex}`,
  ]) {
    t.equal(claimedSignature('1767225600', signature), undefined, `signature ${signature}`)
  }
})

void t.test('signs what RFC 2104 says, over timestamp, dot and body', async (t) => {
  // made with: printf '1767225600.{"user":"a"}' | openssl dgst -sha256 -hmac KEY
  const known = '0f0e46fd87df15c902838585e83b0f221423230de1346067dd27aeaa8c000f7a'
  t.equal(
    isSignedBy([pushSecret], { timestamp: '1767225600', signature: known }, Buffer.from('{"user":"a"}')),
    true,
  )
})

void t.test('any of the secrets will do, and no other', async (t) => {
  const body = Buffer.from('{"a":"é"}')
  const made = signedHeaders(body, { secret: otherPushSecret, signedAt: 1_767_225_600_000 })
  const claimed = claimedSignature(made['easgate-timestamp'], made['easgate-signature'])
  if (claimed === undefined) throw new Error('expected a good form')
  t.equal(isSignedBy([pushSecret, otherPushSecret], claimed, body), true)
  t.equal(isSignedBy([otherPushSecret, pushSecret], claimed, body), true)
  t.equal(isSignedBy([pushSecret], claimed, body), false)
  t.equal(isSignedBy([], claimed, body), false)
  t.equal(isSignedBy([otherPushSecret], claimed, Buffer.from('{"a":"e"}')), false, 'another body')
  t.equal(
    isSignedBy([otherPushSecret], { ...claimed, timestamp: '1767225600.001' }, body),
    false,
    'another time',
  )
  t.equal(
    isSignedBy([otherPushSecret], { ...claimed, timestamp: '1767225600' }, body),
    false,
    'the same time, written otherwise',
  )
})

void t.test('secrets stand one a line, and none is short', async (t) => {
  t.strictSame(readSecrets(`${pushSecret}\n`), [pushSecret])
  t.strictSame(readSecrets(`\n ${pushSecret} \r\n\n${otherPushSecret}`), [pushSecret, otherPushSecret])
  for (const text of [
    '',
    '\n\n',
    'x'.repeat(31),
    `${pushSecret}\nshort`,
    'é'.repeat(40),
    'two words that are long enough to be a secret',
    `${pushSecret}\n`.repeat(9),
  ]) {
    t.equal(readSecrets(text), undefined, JSON.stringify(text.slice(0, 50)))
  }
})
