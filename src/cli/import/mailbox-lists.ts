import { deviceKey } from '#eas/device-id.ts'
import { readDeviceIds } from './device-ids.ts'
import type { ExportRow, ExportTable } from './export-csv.ts'
import type { Finding } from './finding.ts'
import { shownValue } from './literal-pattern.ts'

/** One entry of a mailbox's list, as easgate is told of it. */
export interface ImportedOverride {
  readonly line: number
  readonly field: ListColumn
  readonly user: string
  readonly deviceId: string
  readonly action: 'allow' | 'block'
}

export interface ImportedOverrides {
  readonly overrides: readonly ImportedOverride[]
  readonly findings: readonly Finding[]
}

const lists = [
  { field: 'ActiveSyncBlockedDeviceIDs', action: 'block' },
  { field: 'ActiveSyncAllowedDeviceIDs', action: 'allow' },
] as const

type ListColumn = (typeof lists)[number]['field']

/** Columns that name the mailbox's user, best first. */
const userColumns = ['UserPrincipalName', 'PrimarySmtpAddress'] as const

/** The command that writes a file of which everything can be read. */
export const mailboxListsCommand =
  'Get-CASMailbox -ResultSize Unlimited | Select-Object PrimarySmtpAddress, ActiveSyncEnabled, ' +
  lists.map(({ field: column }) => `@{n='${column}'; e={$_.${column} -join ';'}}`).join(', ') +
  ' | Export-Csv mailboxes.csv -NoTypeInformation -Encoding UTF8'

/**
 * The allowed and blocked devices of `Get-CASMailbox` as overrides. An id in both lists of a mailbox is blocked, as in
 * Exchange. facts.md 6, steps 2, 4 and 5
 */
export function importMailboxLists({ columns, rows, findings: unread }: ExportTable): ImportedOverrides {
  if (columns.length > 0 && !lists.some(({ field }) => columns.includes(field.toLowerCase()))) {
    const message = `expected ${lists.map(({ field }) => field).join(' or ')}; export with: ${mailboxListsCommand}`
    return { overrides: [], findings: [{ kind: 'lost', line: 0, field: '', message }] }
  }
  const findings: Finding[] = [...unread, ...rows.flatMap(withoutActiveSync)]
  const overrides = new Map<string, ImportedOverride>()
  // every block first, so that no second row of a mailbox takes one back
  for (const { field, action } of lists) {
    for (const row of rows) {
      const { line } = row
      const user = userOf(row)
      const { ids, problems } = readDeviceIds(row.value(field))
      for (const message of problems) findings.push({ kind: 'lost', line, field, message })
      if (user === '' && ids.length > 0) {
        const message = `nobody is named whose ${ids.join(', ')} is`
        findings.push({ kind: 'lost', line, field: 'PrimarySmtpAddress', message })
        continue
      }
      for (const deviceId of ids) {
        const pair = JSON.stringify([user.toLowerCase(), deviceKey(deviceId)])
        const before = overrides.get(pair)
        if (before === undefined) overrides.set(pair, { line, field, user, deviceId, action })
        else if (before.action !== action) {
          const message = `${deviceId} is in both lists of ${shownValue(user)}: it is blocked, as in Exchange`
          findings.push({ kind: 'note', line, field, message })
        }
      }
    }
  }
  if (
    findings.some((finding) => finding.kind === 'lost' && lists.some(({ field }) => field === finding.field))
  ) {
    findings.push({ kind: 'note', line: 0, field: '', message: `export lists with: ${mailboxListsCommand}` })
  }
  return {
    overrides: [...overrides.values()].toSorted((one, other) => one.line - other.line),
    findings: findings.toSorted((one, other) => one.line - other.line),
  }
}

function userOf(row: ExportRow): string {
  return userColumns.map((column) => row.value(column).trim()).find((name) => name !== '') ?? ''
}

function withoutActiveSync(row: ExportRow): readonly Finding[] {
  if (row.value('ActiveSyncEnabled').trim().toLowerCase() !== 'false') return []
  const message =
    `the mailbox of ${shownValue(userOf(row))} has ActiveSync off, which no override of a device can say; ` +
    'leave it off in Exchange, which goes on refusing it'
  return [{ kind: 'lost', line: row.line, field: 'ActiveSyncEnabled', message }]
}
