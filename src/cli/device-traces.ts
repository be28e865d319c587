import { parseArgs } from 'node:util'
import type { ShownTrace } from '#admin/explanation.ts'
import type { AdminClient } from './admin-client.ts'
import { UsageError, type CommandContext } from './command.ts'
import { table } from './table.ts'

const columns = ['first', 'last', 'requests', 'action', 'reason', 'policy', 'facts', 'request', 'because']

/** Why one device was refused, or answered otherwise than before, the last time first. */
export async function traces(
  args: readonly string[],
  { print }: CommandContext,
  connect: () => AdminClient,
): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  })
  const [user, deviceId, ...rest] = positionals
  if (user === undefined || deviceId === undefined || rest.length > 0) {
    throw new UsageError('devices traces takes a user and a device id')
  }
  const path = `/api/devices/${encodeURIComponent(user)}/${encodeURIComponent(deviceId)}/traces`
  const { traces: kept } = (await connect().call('GET', path)) as { readonly traces: readonly ShownTrace[] }
  if (values.json) for (const trace of kept) print(JSON.stringify(trace))
  else if (kept.length === 0) print('nothing is kept: this device was not refused, nor answered otherwise')
  else for (const line of table([columns, ...kept.map(cellsOf)])) print(line)
  return 0
}

function cellsOf(trace: ShownTrace): readonly string[] {
  return [
    trace.at,
    trace.lastAt,
    String(trace.requests),
    trace.action,
    trace.reason,
    String(trace.policyRevision),
    String(trace.factsRevision),
    trace.requestId,
    trace.detail,
  ]
}
