import { loadSettings } from '#config/load.ts'
import { createAdminClient } from './admin-client.ts'
import { batchesOf } from './batches.ts'
import { refuseArguments, UsageError, type CommandContext } from './command.ts'
import { readExportCsv } from './import/export-csv.ts'
import { readInput } from './import/files.ts'
import { exitStatusOf, findingText, type Finding } from './import/finding.ts'
import { shownValue } from './import/literal-pattern.ts'
import { importMobileDevices, mobileDevicesCommand } from './import/mobile-devices.ts'

const expected = {
  columns: ['DeviceId', 'DeviceAccessState', 'FirstSyncTime'],
  command: mobileDevicesCommand,
}
const dayMs = 86_400_000

/** The answer of `POST /api/inventory`, as far as the import asks. */
interface Taken {
  readonly taken: number
  readonly notTaken: readonly { readonly index: number; readonly field: string; readonly message: string }[]
}

/** Takes the devices that Exchange knows into the inventory of the running node: as seen there, and as served before. */
export async function importExchange(
  args: readonly string[],
  { configFile, print, printError }: CommandContext,
): Promise<number> {
  const [file, ...rest] = args
  if (file === undefined) throw new UsageError('devices import-exchange takes one file')
  refuseArguments('devices import-exchange', rest)
  const { admin, store } = loadSettings(configFile).config.value
  const now = Date.now()
  // a day, since an export may have been written in the time of any zone
  const bounds = { oldest: now - store.retention.sightingsDays * dayMs, latest: now + dayMs }
  const { devices, findings: unread } = importMobileDevices(readExportCsv(readInput(file), expected), bounds)
  const findings = [...unread]
  for (const finding of unread) printError(findingText(file, finding))
  const client = createAdminClient(admin)
  let taken = 0
  try {
    for (const batch of batchesOf(devices)) {
      const body = batch.map(({ device }) => device)
      const answer = (await client.call('POST', '/api/inventory', body)) as Taken
      taken += answer.taken
      for (const { index, field, message } of answer.notTaken) {
        const { line = 0, device } = batch[index] ?? {}
        const whose = `${shownValue(device?.deviceId ?? '')} of ${shownValue(device?.names.join(', ') ?? '')}`
        const finding: Finding = {
          kind: 'lost',
          line,
          field: columnOf(field),
          message: `${whose}: ${message}`,
        }
        findings.push(finding)
        printError(findingText(file, finding))
      }
    }
  } finally {
    const lost = findings.filter(({ kind }) => kind === 'lost').length
    print(`${taken} devices of Exchange taken into the inventory, ${lost} not`)
  }
  if (findings.some(({ field }) => field === 'PrimarySmtpAddress')) {
    printError(`to have every user named, export with: ${mobileDevicesCommand}`)
  }
  return exitStatusOf(findings)
}

function columnOf(field: string): string {
  return field === 'names' ? 'PrimarySmtpAddress' : 'DeviceId'
}
