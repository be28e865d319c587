import t from 'tap'
import { commandFromCode } from '#eas/commands.ts'
import { deviceKey } from '#eas/device-id.ts'
import { createQueryParser, parseQuery } from '#eas/query.ts'
import { base64Query } from '../support/base64-query.ts'
import { checkEasRows, easRows } from '../support/eas-rows.ts'

void t.test('tells the two forms apart', async (t) => {
  checkEasRows(t, easRows<string | null>('query'), (query) => parseQuery(query ?? undefined))
})

void t.test('gives one triple for the same request in both forms', async (t) => {
  for (const form of ['plain', 'base64'] as const) {
    checkEasRows(t, easRows<{ plain: string; base64: string }>('both-forms'), (request) => {
      const { command, deviceId, user } = parseQuery(request[form])
      return { command, deviceId, user }
    })
  }
})

void t.test('reads every command alike in both forms', async (t) => {
  for (let code = 0; code <= 23; code++) {
    const command = commandFromCode(code)
    if (command === undefined) continue
    const plain = parseQuery(`Cmd=${command}&DeviceId=A1&DeviceType=T`)
    const base64 = parseQuery(
      base64Query({ version: 161, command: code, deviceId: Buffer.from('A1'), deviceType: 'T' }),
    )
    t.equal(base64.command, command)
    t.equal(plain.command, command)
    t.equal(deviceKey(plain.deviceId), deviceKey(base64.deviceId))
  }
})

void t.test('a parser that remembers reads as one that does not, also the second time', (t) => {
  const remembering = createQueryParser({ max: 2 })
  for (const _ of ['first', 'second']) {
    checkEasRows(t, easRows<string | null>('query'), (query) => remembering(query ?? undefined))
  }
  const query = 'Cmd=Ping&User=alice&DeviceId=A1&DeviceType=iPhone'
  t.equal(remembering(query), remembering(query), 'remembered')
  t.not(
    remembering(`${query}&LongId=${'a'.repeat(600)}`),
    remembering(`${query}&LongId=${'a'.repeat(600)}`),
    'too long',
  )
  t.throws(() => remembering('Cmd=Nothing&DeviceId=A1&DeviceType=iPhone'), { code: 'EAS_COMMAND_UNKNOWN' })
  t.throws(() => remembering('Cmd=Nothing&DeviceId=A1&DeviceType=iPhone'), { code: 'EAS_COMMAND_UNKNOWN' })
  t.end()
})
