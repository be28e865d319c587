import t from 'tap'
import { parseBase64Query } from '#eas/base64-query.ts'
import { EasError } from '#eas/errors.ts'
import { base64Query } from '../support/base64-query.ts'
import { checkEasRows, easRows } from '../support/eas-rows.ts'

void t.test('reads the worked examples to the last field and refuses what reads two ways', async (t) => {
  checkEasRows(t, easRows<string>('base64-query'), parseBase64Query)
})

void t.test('refuses a valid query that lacks its last byte', async (t) => {
  for (const { name, input, expected } of easRows<string>('base64-query')) {
    if (expected === undefined) continue
    const bytes = Buffer.from(input, 'base64')
    const cut = bytes.subarray(0, -1).toString('base64')
    t.throws(() => parseBase64Query(cut), { code: 'EAS_QUERY_TRUNCATED' }, name)
  }
})

void t.test('refuses each cut that does not fall between two parameters', async (t) => {
  const parameters = [
    [1, Buffer.from('5')],
    [3, Buffer.from('5:17')],
    [7, Buffer.from([1])],
    [8, Buffer.from('alice')],
  ] as const
  const fields = { version: 161, command: 2, deviceId: Buffer.from('A1'), policyKey: 7, deviceType: 'iPhone' }
  const bytes = Buffer.from(base64Query({ ...fields, parameters }), 'base64')
  const whole = parameters.map((_, count) =>
    Buffer.from(base64Query({ ...fields, parameters: parameters.slice(0, count) }), 'base64'),
  )
  const boundaries = new Set(whole.map(({ length }) => length))
  t.equal(boundaries.size, 4)
  for (let length = 1; length < bytes.length; length++) {
    const cut = bytes.subarray(0, length).toString('base64')
    if (boundaries.has(length)) t.equal(parseBase64Query(cut).user, undefined, `${length} bytes are a query`)
    else t.throws(() => parseBase64Query(cut), EasError, `${length} bytes are refused`)
  }
})

void t.test('reads thousands of tags no further than the first repeat', async (t) => {
  const tags = Array.from({ length: 100_000 }, () => [1, Buffer.alloc(0)] as const)
  const query = base64Query({
    version: 140,
    command: 0,
    deviceId: Buffer.from('A1'),
    deviceType: 'T',
    parameters: tags,
  })
  t.throws(() => parseBase64Query(query), { code: 'EAS_PARAMETER_REPEATED', offset: 12 })
})
