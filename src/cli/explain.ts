import { parseArgs } from 'node:util'
import { loadSettings } from '#config/load.ts'
import type { Explanation } from '#admin/explanation.ts'
import type { RequestExplanation } from '#admin/traces.ts'
import { createAdminClient } from './admin-client.ts'
import { UsageError, type Command } from './command.ts'
import { explanationText } from './explanation-text.ts'
import { readLogLine } from './log-line.ts'

/** Asks the running node why a pair gets what it gets, or why one request was answered as it was. */
export const explain: Command = {
  usage: [
    'explain USER DEVICEID [--request ID] [--device-type T] [--user-agent A] [--protocol-version V] [--json]',
    'explain --log-line [--json]              the same of the request whose log line comes on standard input',
  ].join('\n'),
  run: async (args, { configFile, print, readInput }) => {
    const text = { type: 'string' } as const
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        request: text,
        'device-type': text,
        'user-agent': text,
        'protocol-version': text,
        'log-line': { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    })
    const { json, 'log-line': fromLogLine, ...named } = values
    if (fromLogLine && positionals.length + Object.keys(named).length > 0) {
      throw new UsageError('explain takes all that it asks from the log line')
    }
    const question = fromLogLine
      ? readLogLine(readInput())
      : { ...parametersOf(named), ...pairOf(positionals) }
    const client = createAdminClient(loadSettings(configFile).config.value.admin)
    const query = new URLSearchParams(question).toString()
    const explanation = (await client.call('GET', `/api/explain?${query}`)) as
      Explanation | RequestExplanation
    print(json ? JSON.stringify(explanation, null, 2) : explanationText(question.deviceId, explanation))
    return 0
  },
}

function pairOf([user, deviceId, ...rest]: readonly string[]) {
  if (user === undefined || deviceId === undefined || rest.length > 0) {
    throw new UsageError('explain takes a user and a device id')
  }
  return { user, deviceId }
}

const parameters = {
  request: 'requestId',
  'device-type': 'deviceType',
  'user-agent': 'userAgent',
  'protocol-version': 'protocolVersion',
} as const

function parametersOf(
  named: Partial<Record<keyof typeof parameters, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(named).map(([name, value]) => [parameters[name as keyof typeof parameters], value]),
  )
}
