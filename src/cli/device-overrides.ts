import { parseArgs } from 'node:util'
import type { AdminClient } from './admin-client.ts'
import { UsageError, type CommandContext } from './command.ts'

const dayMs = 86_400_000
/** Ten years: longer is for ever. */
const maxDays = 3650

/** Allows or blocks one device of one user, whatever the rules say. */
export async function override(
  action: 'allow' | 'block',
  args: readonly string[],
  { print }: CommandContext,
  connect: () => AdminClient,
): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      note: { type: 'string' },
      until: { type: 'string' },
      days: { type: 'string' },
      ...(action === 'allow' ? { exclusive: { type: 'boolean' } } : undefined),
    },
  })
  const { path, name } = pairOf(action, positionals)
  const { note, days, until = endOf(days), ...exclusive } = values
  if (note === undefined)
    throw new UsageError(`devices ${action} takes --note: who reads it later must know why`)
  if (days !== undefined && values.until !== undefined) {
    throw new UsageError('--until and --days both say when it ends; give one')
  }
  const body = { action, note, ...(until === undefined ? undefined : { until }), ...exclusive }
  await connect().call('PUT', path, body)
  const done = action === 'allow' ? 'allowed' : 'blocked'
  print(`${name}: ${done}${until === undefined ? '' : ` until ${until}`}, in force`)
  return 0
}

/** Takes back what `override` said. */
export async function clearOverride(
  args: readonly string[],
  { print }: CommandContext,
  connect: () => AdminClient,
): Promise<number> {
  const { path, name } = pairOf(
    'clear-override',
    parseArgs({ args: [...args], allowPositionals: true }).positionals,
  )
  await connect().call('DELETE', path)
  print(`${name}: judged by the rules again, in force`)
  return 0
}

function pairOf(command: string, [user, deviceId, ...rest]: readonly string[]) {
  if (user === undefined || deviceId === undefined || rest.length > 0) {
    throw new UsageError(`devices ${command} takes a user and a device id`)
  }
  const path = `/api/devices/${encodeURIComponent(user)}/${encodeURIComponent(deviceId)}/override`
  return { path, name: `${user} ${deviceId}` }
}

function endOf(days: string | undefined): string | undefined {
  if (days === undefined) return undefined
  if (!/^\d{1,4}$/.test(days) || Number(days) < 1 || Number(days) > maxDays) {
    throw new UsageError(`--days takes 1 to ${maxDays}`)
  }
  return new Date(Date.now() + Number(days) * dayMs).toISOString()
}
