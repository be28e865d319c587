import t from 'tap'
import { readExportCsv } from '#cli/import/export-csv.ts'
import { importMailboxLists } from '#cli/import/mailbox-lists.ts'

const header = 'PrimarySmtpAddress,ActiveSyncAllowedDeviceIDs,ActiveSyncBlockedDeviceIDs,ActiveSyncEnabled'

function imported(...lines: readonly string[]) {
  const bytes = new TextEncoder().encode(`${lines.join('\n')}\n`)
  return importMailboxLists(readExportCsv(bytes, { columns: ['PrimarySmtpAddress'], command: '' }))
}

void t.test('each listed device of a mailbox is an override', async (t) => {
  const { overrides, findings } = imported(header, 'a@example.com,A1 A2,B1,True', 'b@example.com,,B2,True')
  t.strictSame(findings, [])
  t.strictSame(
    overrides.map(({ line, user, deviceId, action }) => [line, user, deviceId, action]),
    [
      [2, 'a@example.com', 'B1', 'block'],
      [2, 'a@example.com', 'A1', 'allow'],
      [2, 'a@example.com', 'A2', 'allow'],
      [3, 'b@example.com', 'B2', 'block'],
    ],
  )
})

void t.test('a block wins over an allow, in one row or in two, in any spelling', async (t) => {
  const { overrides, findings } = imported(
    header,
    'a@example.com,ApplX Y1,APPLX,True',
    'b@example.com,Z1,,True',
    'B@example.com,,z1,True',
  )
  t.strictSame(
    overrides.map(({ user, deviceId, action }) => [user, deviceId, action]),
    [
      ['a@example.com', 'APPLX', 'block'],
      ['a@example.com', 'Y1', 'allow'],
      ['B@example.com', 'z1', 'block'],
    ],
  )
  t.match(findings, [
    {
      kind: 'note',
      line: 2,
      field: 'ActiveSyncAllowedDeviceIDs',
      message: 'ApplX is in both lists of "a@example.com": it is blocked, as in Exchange',
    },
    { kind: 'note', line: 3 },
  ])
})

void t.test('the same entry twice is one', async (t) => {
  const { overrides, findings } = imported(header, 'a@example.com,A1,,True', 'a@example.com,a1,,True')
  t.equal(overrides.length, 1)
  t.strictSame(findings, [])
})

void t.test('a mailbox without ActiveSync, and a row without a name, are named', async (t) => {
  const { overrides, findings } = imported(header, 'a@example.com,A1,,False', ',B1,,True', ',,,True')
  t.equal(overrides.length, 1)
  t.match(findings, [
    {
      kind: 'lost',
      line: 2,
      field: 'ActiveSyncEnabled',
      message: /^the mailbox of "a@example.com" has ActiveSync off/,
    },
    { kind: 'lost', line: 3, field: 'PrimarySmtpAddress', message: 'nobody is named whose B1 is' },
  ])
})

void t.test('UserPrincipalName is the login, where it was exported', async (t) => {
  const { overrides } = imported(
    `UserPrincipalName,${header}`,
    'a@corp.example,a@example.com,A1,,True',
    ',b@example.com,B1,,True',
  )
  t.strictSame(
    overrides.map(({ user }) => user),
    ['a@corp.example', 'b@example.com'],
  )
})

void t.test('one list is enough, none is not', async (t) => {
  t.match(imported('PrimarySmtpAddress,ActiveSyncBlockedDeviceIDs', 'a@example.com,A1').overrides, [
    { action: 'block' },
  ])
  t.match(imported('PrimarySmtpAddress,ActiveSyncEnabled', 'a@example.com,True'), {
    overrides: [],
    findings: [
      {
        kind: 'lost',
        message:
          /^expected ActiveSyncBlockedDeviceIDs or ActiveSyncAllowedDeviceIDs; export with: Get-CASMailbox/,
      },
    ],
  })
  t.match(imported('Name', 'a').findings, [
    { kind: 'lost', message: /^expected the columns PrimarySmtpAddress/ },
  ])
})

void t.test('how to export lists is told once', async (t) => {
  const types = 'System.String[],System.String[],True'
  const { findings } = imported(header, `a@example.com,${types}`, `b@example.com,${types}`)
  t.strictSame(
    findings.map(({ kind, line }) => [kind, line]),
    [
      ['note', 0],
      ['lost', 2],
      ['lost', 2],
      ['lost', 3],
      ['lost', 3],
    ],
  )
  t.match(findings[0]?.message, /^export lists with: Get-CASMailbox .* -join ';'.* -Encoding UTF8$/)
})
