import { parseArgs } from 'node:util'
import { loadSettings } from '#config/load.ts'
import type { FactsRecord } from '#directory/record.ts'
import { parseFactsFile } from '#sources/parse-facts-file.ts'
import { createAdminClient, type AdminClient } from './admin-client.ts'
import { batchesOf } from './batches.ts'
import { UsageError, type Command, type CommandContext } from './command.ts'
import { clearOverride, override } from './device-overrides.ts'
import { traces } from './device-traces.ts'
import { importExchange } from './import-exchange.ts'
import { importOverrides } from './import-overrides.ts'
import { readInput } from './import/files.ts'

/** The inventory of the running node: reads it, and pushes facts into it. */
export const devices: Command = {
  usage: [
    'devices list [--state S] [--reason R] [--platform P] [--group G] [--user U] [--override O] [--json]',
    'devices show USER DEVICEID               what is known of one device, and from where',
    'devices traces USER DEVICEID [--json]    why it was refused, or answered otherwise than before',
    'devices set USER DEVICEID FIELD=VALUE... push facts of one device',
    'devices import FILE                      push facts from a CSV or JSON file',
    'devices allow USER DEVICEID --note TEXT [--until TIME|--days N] [--exclusive]',
    'devices block USER DEVICEID --note TEXT [--until TIME|--days N]',
    'devices clear-override USER DEVICEID     let the rules judge the device again',
    'devices import-exchange FILE             devices that Exchange knows, from its own export',
    'devices import-overrides FILE            what mailboxes of Exchange allow and block, from its own export',
  ].join('\n'),
  run: async (args, context) => {
    const [name, ...rest] = args
    const client = () => createAdminClient(loadSettings(context.configFile).config.value.admin)
    switch (name) {
      case 'list':
        return list(rest, context, client)
      case 'show':
        return show(rest, context, client)
      case 'traces':
        return traces(rest, context, client)
      case 'set':
        return set(rest, context, client)
      case 'import':
        return importFile(rest, context, client)
      case 'allow':
      case 'block':
        return override(name, rest, context, client)
      case 'clear-override':
        return clearOverride(rest, context, client)
      case 'import-exchange':
        return importExchange(rest, context)
      case 'import-overrides':
        return importOverrides(rest, context, client)
      default:
        throw new UsageError(
          'devices takes list, show, traces, set, import, allow, block, clear-override, import-exchange or import-overrides',
        )
    }
  },
}

type Connect = () => AdminClient

/** What the API shows of an entry, as far as the table needs it. */
interface ListedDevice {
  readonly user: string
  readonly deviceId: string
  readonly facts?: {
    readonly complianceState?: string
    readonly platform?: string
    readonly osVersion?: string
  }
  readonly seen?: {
    readonly action: string
    readonly reason: string
    readonly platform: string
    readonly lastAt: string
  }
  readonly override?: { readonly action: string; readonly until?: string }
}

async function list(args: readonly string[], { print }: CommandContext, connect: Connect): Promise<number> {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      state: text,
      reason: text,
      platform: text,
      group: text,
      user: text,
      override: text,
      json: { type: 'boolean' },
    },
  })
  const { json, ...filters } = values
  const client = connect()
  let cursor: string | null = null
  if (!json) print(row(columns))
  do {
    const query = new URLSearchParams(Object.entries(filters))
    if (cursor !== null) query.set('cursor', cursor)
    const page = (await client.call('GET', `/api/devices?${query.toString()}`)) as {
      devices: readonly ListedDevice[]
      next: string | null
    }
    for (const device of page.devices) print(json ? JSON.stringify(device) : tableRow(device))
    cursor = page.next
  } while (cursor !== null)
  return 0
}

const columns = [
  'user',
  'device id',
  'platform',
  'compliance',
  'last action',
  'reason',
  'last seen',
  'override',
]

function tableRow({ user, deviceId, facts, seen, override }: ListedDevice): string {
  return row([
    user,
    deviceId,
    facts?.platform ?? seen?.platform ?? '-',
    facts === undefined ? 'not on record' : (facts.complianceState ?? '-'),
    seen?.action ?? 'never seen',
    seen?.reason ?? '-',
    seen?.lastAt ?? '-',
    override === undefined ? '-' : [override.action, override.until].join(' ').trimEnd(),
  ])
}

const widths = [24, 28, 12, 14, 12, 18, 24, 0]

function row(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(widths[index] ?? 0))
    .join('  ')
    .trimEnd()
}

async function show(args: readonly string[], { print }: CommandContext, connect: Connect): Promise<number> {
  const [user, deviceId, ...rest] = args
  if (user === undefined || deviceId === undefined || rest.length > 0) {
    throw new UsageError('devices show takes a user and a device id')
  }
  const device = await connect().call(
    'GET',
    `/api/devices/${encodeURIComponent(user)}/${encodeURIComponent(deviceId)}`,
  )
  print(JSON.stringify(device, null, 2))
  return 0
}

async function set(args: readonly string[], { print }: CommandContext, connect: Connect): Promise<number> {
  const [user, deviceId, ...assignments] = args
  if (user === undefined || deviceId === undefined || assignments.length === 0) {
    throw new UsageError('devices set takes a user, a device id and at least one FIELD=VALUE')
  }
  const fields = assignments.map((assignment) => {
    const equals = assignment.indexOf('=')
    if (equals < 1) throw new UsageError(`expected FIELD=VALUE, got ${assignment}`)
    return [assignment.slice(0, equals), valueOf(assignment.slice(0, equals), assignment.slice(equals + 1))]
  })
  await connect().call('POST', '/api/facts', { ...Object.fromEntries(fields), user, deviceId })
  print(`${user} ${deviceId}: set, in force`)
  return 0
}

function valueOf(field: string, text: string): unknown {
  if (field === 'groups' || field === 'aliases') return text.split(';').filter((item) => item !== '')
  return text === 'true' ? true : text === 'false' ? false : text
}

async function importFile(
  args: readonly string[],
  { print, printError }: CommandContext,
  connect: Connect,
): Promise<number> {
  const [file, ...rest] = args
  if (file === undefined || rest.length > 0) throw new UsageError('devices import takes one file')
  const { records, faults } = parseFactsFile(file, readInput(file))
  const placeName = file.toLowerCase().endsWith('.json') ? ', item ' : ':'
  for (const { place, field, message } of faults) {
    printError(`${file}${placeName}${place}: ${field === '' ? '' : `${field}: `}${message}`)
  }
  const client = connect()
  let taken = 0
  try {
    for (const batch of batchesOf(records.map(({ record }) => wireRecord(record)))) {
      await client.call('POST', '/api/facts', batch)
      taken += batch.length
    }
  } finally {
    print(`${taken} of ${records.length} good records taken, ${faults.length} faults`)
  }
  return faults.length === 0 ? 0 : 1
}

/** A record as the API takes it: times as ISO 8601. */
function wireRecord({ graceUntil, lastCheckIn, ...record }: FactsRecord): unknown {
  return {
    ...record,
    ...(graceUntil === undefined ? undefined : { graceUntil: new Date(graceUntil).toISOString() }),
    ...(lastCheckIn === undefined ? undefined : { lastCheckIn: new Date(lastCheckIn).toISOString() }),
  }
}
