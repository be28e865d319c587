import { isDeviceId } from '#eas/device-id.ts'
import { versionFromText } from '#eas/versions.ts'
import { plainText } from '#directory/record.ts'
import type { Reason } from '#policy/reasons.ts'
import type { ExportRow, ExportTable } from './export-csv.ts'
import { createTimeReader } from './export-time.ts'
import type { Finding } from './finding.ts'
import { shownValue } from './literal-pattern.ts'

/** A device as `POST /api/inventory` takes it. */
export interface InventoryDevice {
  readonly names: readonly string[]
  readonly deviceId: string
  readonly deviceType?: string
  readonly userAgent?: string
  readonly model?: string
  readonly os?: string
  readonly protocolVersion?: string
  readonly action: 'allow' | 'block' | 'quarantine'
  readonly reason?: Reason
  readonly firstSeenAt?: string
  readonly lastSeenAt?: string
}

export interface ImportedDevices {
  readonly devices: readonly { readonly line: number; readonly device: InventoryDevice }[]
  readonly findings: readonly Finding[]
}

/** The command that writes a file of which everything can be read. */
export const mobileDevicesCommand =
  'Get-CASMailbox -ResultSize Unlimited -Filter {HasActiveSyncDevicePartnership -eq $true} | ForEach-Object ' +
  "{ $user = $_.PrimarySmtpAddress; Get-MobileDeviceStatistics -Mailbox $_.Identity | Select-Object @{n='PrimarySmtpAddress'; " +
  'e={$user}}, * } | Export-Csv devices.csv -NoTypeInformation -Encoding UTF8'

/** Times of the last sync, best first; the last is of the record and stands for it in exports of Get-MobileDevice. */
const lastColumns = ['LastSuccessSync', 'LastSyncAttemptTime', 'WhenChangedUTC'] as const
const timeColumns = ['FirstSyncTime', ...lastColumns] as const

/** What Exchange does with a device; one that it has not made up its mind about is held. facts.md 6 */
const actionOf: ReadonlyMap<string, InventoryDevice['action']> = new Map([
  ['allowed', 'allow'],
  ['blocked', 'block'],
  ['quarantined', 'quarantine'],
  ['devicediscovery', 'quarantine'],
  ['unknown', 'quarantine'],
])

const maxClaimLength = 1024
const nameSchema = plainText(256)

type Lose = (field: string, message: string) => undefined

/** The times that an inventory can take, ms since the epoch. */
export interface TimeBounds {
  /** A device that was last seen before this is not kept. */
  readonly oldest: number
  /** No device was seen after this. */
  readonly latest: number
}

/** Devices of `Get-MobileDevice` or `Get-MobileDeviceStatistics` as an inventory. */
export function importMobileDevices(table: ExportTable, bounds: TimeBounds): ImportedDevices {
  const findings: Finding[] = [...table.findings]
  const devices: { line: number; device: InventoryDevice }[] = []
  const readTime = createTimeReader(table.rows.flatMap((row) => timeColumns.map(row.value)))
  for (const row of table.rows) {
    const lose: Lose = (field, message) => {
      findings.push({ kind: 'lost', line: row.line, field, message })
    }
    const device = deviceOf(row, lose)
    const times = device && timesOf(row, readTime, bounds, lose)
    if (device === undefined || times === undefined) continue
    devices.push({ line: row.line, device: { ...device, ...times } })
    if (times.firstSeenAt !== undefined) continue
    const message = `${shownValue(device.deviceId)}: there is none; the device counts as first seen when it was last seen`
    findings.push({ kind: 'note', line: row.line, field: 'FirstSyncTime', message })
  }
  return { devices, findings: findings.toSorted((one, other) => one.line - other.line) }
}

function deviceOf(row: ExportRow, lose: Lose): InventoryDevice | undefined {
  const deviceId = row.value('DeviceId').trim()
  const clientType = row.value('ClientType').trim()
  const state = row.value('DeviceAccessState').trim()
  const action = actionOf.get(state.toLowerCase())
  const names = namesOf(row)
  if (!isDeviceId(deviceId)) return lose('DeviceId', `${shownValue(deviceId)} is no EAS device id`)
  if (clientType !== '' && clientType.toUpperCase() !== 'EAS') {
    return lose('ClientType', `${shownValue(deviceId)} comes by ${shownValue(clientType)}, not by ActiveSync`)
  }
  if (action === undefined) {
    return lose('DeviceAccessState', `expected Allowed, Blocked or Quarantined, found ${shownValue(state)}`)
  }
  if (names.length === 0) {
    return lose('PrimarySmtpAddress', `${shownValue(deviceId)}: nobody is named whose it is`)
  }
  const [deviceType, userAgent, model, os] = (
    ['DeviceType', 'DeviceUserAgent', 'DeviceModel', 'DeviceOS'] as const
  ).map((column) => row.value(column).slice(0, maxClaimLength))
  // on-premises and online name the same column differently
  const protocolVersion = versionFromText(row.value('ClientVersion') || row.value('DeviceActiveSyncVersion'))
  const reason = reasonOf(row, action)
  return {
    names,
    deviceId,
    ...(deviceType && { deviceType }),
    ...(userAgent && { userAgent }),
    // Exchange puts the type there where the phone told no model
    ...(model && model !== deviceType && { model }),
    ...(os && { os }),
    ...(protocolVersion && { protocolVersion }),
    action,
    ...(reason && { reason }),
  }
}

/** The user's container in the directory's path of a device; a slash within a name stands behind a backslash. */
const ownerInPath = /(?:^|[^\\]\/)((?:[^/\\]|\\.)+)\/ExchangeActiveSyncDevices\//i

/**
 * The names of the user, best first. Without a login the directory is asked for the name in the path, as in
 * `contoso.com/Users/Adele Vance/ExchangeActiveSyncDevices/iPhone§ApplXXXX`, and for the display name.
 */
function namesOf(row: ExportRow): readonly string[] {
  const logins = soundNames([row.value('UserPrincipalName'), row.value('PrimarySmtpAddress')])
  if (logins.length > 0) return logins
  const owner = ownerInPath.exec(row.value('Identity'))?.[1] ?? ''
  return soundNames([owner.replaceAll(/\\(.)/g, '$1'), row.value('UserDisplayName')])
}

function soundNames(names: readonly string[]): readonly string[] {
  const trimmed = names.map((name) => name.trim()).filter((name) => nameSchema.safeParse(name).success)
  return [...new Set(trimmed)]
}

function reasonOf(row: ExportRow, action: InventoryDevice['action']): Reason | undefined {
  const why = row.value('DeviceAccessStateReason').trim().toLowerCase()
  if (why === 'devicerule') return 'device-rule'
  if (why !== 'individual' || action === 'quarantine') return undefined
  return action === 'allow' ? 'personal-allow' : 'personal-block'
}

function timesOf(
  row: ExportRow,
  readTime: ReturnType<typeof createTimeReader>,
  { oldest, latest }: TimeBounds,
  lose: Lose,
): Pick<InventoryDevice, 'firstSeenAt' | 'lastSeenAt'> | undefined {
  const times = new Map<string, number>()
  for (const column of timeColumns) {
    const read = readTime(row.value(column))
    if ('problem' in read) return lose(column, `${shownValue(row.value(column))}: ${read.problem}`)
    if (read.at === undefined) continue
    if (read.at > latest) return lose(column, `${shownValue(row.value(column))}: this is yet to come`)
    times.set(column, read.at)
  }
  const first = times.get('FirstSyncTime')
  const column = lastColumns.find((name) => times.has(name))
  const last = column === undefined ? undefined : times.get(column)
  if (column !== undefined && last !== undefined && last < oldest) {
    const deviceId = shownValue(row.value('DeviceId'))
    const message = `${deviceId} was last seen ${isoTime(last)}, longer ago than store.retention.sightingsDays keeps`
    return lose(column, message)
  }
  return {
    ...(first === undefined ? undefined : { firstSeenAt: isoTime(first) }),
    ...(last === undefined ? undefined : { lastSeenAt: isoTime(last) }),
  }
}

function isoTime(at: number): string {
  return new Date(at).toISOString()
}
