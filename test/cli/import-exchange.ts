import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run, startConfigured } from '../support/command.ts'
import { adminNow } from '../support/admin-node.ts'

const columns =
  'DeviceID,DeviceType,DeviceUserAgent,DeviceModel,DeviceOS,DeviceAccessState,FirstSyncTime,LastSuccessSync'

const recent = '2026-05-30 09:00:00'

/** Keeps what was seen for ten years, so that the times of this test grow old slowly. */
async function startKeeping(t: Test) {
  const configured = await startConfigured(t)
  const text = readFileSync(configured.configFile, 'utf8')
  const kept = text.replace('store: {', 'store: { retention: { sightingsDays: 3650 },')
  writeFileSync(configured.configFile, kept)
  return configured
}

/** UTF-16 LE with its byte order mark. */
function utf16(lines: readonly string[]): Buffer {
  return Buffer.from(`\uFEFF${lines.join('\r\n')}\r\n`, 'utf16le')
}

void t.test(
  'devices of Exchange are in the inventory, and who cannot be told is named by the line',
  async (t) => {
    const { configFile, node, folder } = await startConfigured(t)
    const file = join(folder, 'devices.csv')
    const rest = `iPhone,Apple-iPhone15C2/2105.219,iPhone15C2,iOS 17.4.1 21E236,Allowed,2023-11-02 18:04:38,`
    writeFileSync(
      file,
      utf16([
        '#TYPE Selected.Something',
        `PrimarySmtpAddress,UserDisplayName,${columns}`,
        `Alice@example.com,Alice,ApplALICE2,${rest}${recent}`,
        `,Zoë Müller,ApplZOE1,${rest}${recent}`,
        `bob@example.com,Bob,ApplOLD1,${rest}2001-01-01 00:00:00`,
        `nobody@example.com,,ApplNOBODY1,${rest}${recent}`,
      ]),
    )
    const { status, out, error } = await run('devices', 'import-exchange', file, '--config', configFile)
    t.equal(status, 1)
    t.equal(out, '2 devices of Exchange taken into the inventory, 2 not')
    t.match(error.split('\n'), [
      `${file}:5: LastSuccessSync: not carried over: "ApplOLD1" was last seen 2001-01-01T00:00:00.000Z`,
      `${file}:4: PrimarySmtpAddress: not carried over: "ApplZOE1" of "Zoë Müller": no directory entry has this name, and it is no login`,
      /^to have every user named, export with: Get-CASMailbox .* Get-MobileDeviceStatistics/,
    ])
    t.match(node.store.device('alice@example.com', 'ApplALICE2')?.seen, {
      firstAt: Date.parse('2023-11-02T18:04:38Z'),
      osVersion: '17.4.1',
      importedAt: adminNow,
    })
    t.ok(node.store.device('nobody@example.com', 'ApplNOBODY1'))
  },
)

void t.test('all taken is status 0, also where it goes in several calls', async (t) => {
  const { configFile, node, folder } = await startKeeping(t)
  const file = join(folder, 'devices.csv')
  const lines = Array.from({ length: 2500 }, (_, number) => {
    return `user${number}@example.com,Appl${number},iPhone,,,,Allowed,${recent},${recent}`
  })
  writeFileSync(file, [`UserPrincipalName,${columns}`, ...lines].join('\n'))
  const { status, out, error } = await run('devices', 'import-exchange', file, '--config', configFile)
  t.strictSame([status, out, error], [0, '2500 devices of Exchange taken into the inventory, 0 not', ''])
  t.ok(node.store.device('user2499@example.com', 'Appl2499'))
  t.equal(node.waits.enforced, 3)
})

void t.test('a user who has as many devices as are kept is named by line', async (t) => {
  const { configFile, folder } = await startKeeping(t)
  const file = join(folder, 'devices.csv')
  const lines = Array.from({ length: 101 }, (_, number) => {
    return `bob@example.com,Appl${number},iPhone,,,,Allowed,${recent},${recent}`
  })
  writeFileSync(file, [`PrimarySmtpAddress,${columns}`, ...lines].join('\n'))
  const { status, error } = await run('devices', 'import-exchange', file, '--config', configFile)
  t.equal(status, 1)
  t.equal(
    error,
    `${file}:102: DeviceId: not carried over: "Appl100" of "bob@example.com": its user has as many devices as are kept`,
  )
})

void t.test('another file is refused with the command that writes the right one', async (t) => {
  const { configFile, folder } = await startKeeping(t)
  const file = join(folder, 'devices.csv')
  writeFileSync(file, 'user,deviceId\nalice@example.com,A1\n')
  const { status, out, error } = await run('devices', 'import-exchange', file, '--config', configFile)
  t.equal(status, 1)
  t.equal(out, '0 devices of Exchange taken into the inventory, 1 not')
  t.match(
    error,
    /:1: not carried over: expected the columns DeviceAccessState, FirstSyncTime, found user, deviceid; export with: Get-CASMailbox/,
  )
})
