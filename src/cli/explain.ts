import { parseArgs } from 'node:util'
import { loadSettings } from '#config/load.ts'
import type { Explanation } from '#admin/explain.ts'
import { createAdminClient } from './admin-client.ts'
import { UsageError, type Command } from './command.ts'

/** Asks the running node why a pair gets what it gets. */
export const explain: Command = {
  usage: 'explain USER DEVICEID [--device-type T] [--user-agent A] [--json]',
  run: async (args, { configFile, print }) => {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'device-type': { type: 'string' },
        'user-agent': { type: 'string' },
        json: { type: 'boolean', default: false },
      },
    })
    const [user, deviceId, ...rest] = positionals
    if (user === undefined || deviceId === undefined || rest.length > 0) {
      throw new UsageError('explain takes a user and a device id')
    }
    const query = new URLSearchParams({ user, deviceId })
    if (values['device-type'] !== undefined) query.set('deviceType', values['device-type'])
    if (values['user-agent'] !== undefined) query.set('userAgent', values['user-agent'])
    const client = createAdminClient(loadSettings(configFile).config.value.admin)
    const explanation = (await client.call('GET', `/api/explain?${query.toString()}`)) as Explanation
    print(values.json ? JSON.stringify(explanation, null, 2) : explanationText(deviceId, explanation))
    return 0
  },
}

/** The same facts as the JSON, for people: the verdict first, then the way to it. */
export function explanationText(deviceId: string, explanation: Explanation): string {
  const { action, reason, rule, mode, user, backend, device, facts, trace, validUntil } = explanation
  const width = Math.max(...trace.map(({ criterion }) => criterion.length))
  const outcomeWidth = Math.max(...trace.map(({ outcome }) => outcome.length))
  return [
    `${user}  ${deviceId}: ${action} (${reason})`,
    `  decided by ${rule}, mode ${mode}, backend ${backend}${validUntil === null ? '' : `, until ${validUntil}`}`,
    `  device     ${device.platform} ${device.osVersion}, ${device.model}, ${device.client}`,
    ...Object.entries(facts).map(([name, value]) => `  ${name.padEnd(20)} ${String(value ?? '-')}`),
    '  looked at, in order:',
    ...trace.map(({ criterion, outcome, detail }) =>
      `    ${criterion.padEnd(width)}  ${outcome.padEnd(outcomeWidth)}  ${detail}`.trimEnd(),
    ),
  ].join('\n')
}
