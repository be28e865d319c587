import t from 'tap'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import { scanWbxml } from '#eas/wbxml/scan.ts'
import { defaultLimits } from '#eas/wbxml/wire.ts'
import { captureBodies, hexBytes, visitsExpected, visitsOf } from '../../support/wbxml-fixtures.ts'

void t.test('sees in every capture what the decoder sees', async (t) => {
  for (const { name, bytes } of captureBodies()) {
    t.strictSame(visitsOf(bytes), { visits: visitsExpected(decodeWbxml(bytes)), whole: true }, name)
  }
})

void t.test('visits unknown pages and tokens as numbers and goes on behind them', async (t) => {
  // Settings{page 18 token 3F{x}, page 200 token 05, Status 1}
  t.strictSame(visitsOf(hexBytes('03016a00 0012 45 7f 037800 01 00c8 05 0012 46 033100 01 01')), {
    visits: [
      ['Settings:Settings', 0, ''],
      ['18:0x3F', 1, 'x'],
      ['200:0x05', 1, ''],
      ['Settings:Status', 1, '1'],
    ],
    whole: true,
  })
})

void t.test('joins the text before the first child and leaves out text behind it', async (t) => {
  // Sync{'a', OPAQUE 'b', GetChanges, 'c', SyncKey{'d'}, 'e'}
  const body = hexBytes('03016a00 45 036100 c30162 13 036300 4b 036400 01 036500 01')
  t.strictSame(visitsOf(body).visits, [
    ['AirSync:Sync', 0, 'ab'],
    ['AirSync:GetChanges', 1, ''],
    ['AirSync:SyncKey', 1, 'd'],
  ])
})

void t.test('reads text that is not UTF-8 as well as it can', async (t) => {
  t.strictSame(visitsOf(hexBytes('03016a004b0361ff0001')), {
    visits: [['AirSync:SyncKey', 0, 'a\ufffd']],
    whole: true,
  })
})

void t.test('stops when the visitor has seen enough, whatever stands behind', async (t) => {
  let visits = 0
  const seen = scanWbxml(hexBytes('03016a00 45 4b 033000 01 02ff8504'), (name) => {
    visits += 1
    return name === 'AirSync:SyncKey'
  })
  t.equal(seen, true)
  t.equal(visits, 2)
})

void t.test('breaks off without a throw where it cannot read on, and keeps what it saw', async (t) => {
  for (const { name, bytes } of captureBodies()) {
    if (bytes.length > 1000) continue
    const all = visitsOf(bytes).visits.map(([element]) => element)
    const wrong: number[] = []
    for (let length = 0; length < bytes.length; length += 1) {
      const { visits, whole } = visitsOf(bytes.subarray(0, length))
      if (whole || visits.some(([element], index) => element !== all[index])) wrong.push(length)
    }
    t.strictSame(wrong, [], name)
  }
  t.strictSame(
    visitsOf(hexBytes('03016a00 45 13 0302')).visits.map(([element]) => element),
    ['AirSync:Sync', 'AirSync:GetChanges'],
    'an endless string',
  )
  t.strictSame(visitsOf(hexBytes('03016a000145')), { visits: [], whole: false }, 'an END before the root')
  t.strictSame(visitsOf(hexBytes('02016a0005')), { visits: [], whole: false }, 'another header')
})

void t.test('ends with the root: what is behind it is not looked at', async (t) => {
  t.strictSame(visitsOf(hexBytes('03016a00 45 01 4b 033000 01')).visits, [['AirSync:Sync', 0, '']])
  t.strictSame(visitsOf(hexBytes('03016a00 05 4b 033000 01')).visits, [['AirSync:Sync', 0, '']])
})

void t.test('stops in a hostile megabyte after a bounded number of tokens (T-47)', async (t) => {
  for (const unit of ['05', '45', '4501', '0500c8']) {
    let visits = 0
    const body = Buffer.concat([hexBytes('03016a0045'), Buffer.alloc(1_000_000, unit, 'hex')])
    const whole = scanWbxml(body, () => {
      visits += 1
      return false
    })
    t.equal(whole, false, unit)
    t.ok(
      visits > defaultLimits.maxTokens / 3 && visits <= defaultLimits.maxTokens,
      `${unit}: ${visits} visits`,
    )
  }
  for (const unit of ['0300', 'c300', '0011']) {
    const body = Buffer.concat([hexBytes('03016a0045'), Buffer.alloc(1_000_000, unit, 'hex'), hexBytes('13')])
    t.strictSame(visitsOf(body), { visits: [['AirSync:Sync', 0, '']], whole: false }, unit)
  }
})
