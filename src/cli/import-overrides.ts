import { refuseArguments, UsageError, type CommandContext } from './command.ts'
import { AdminError, type AdminClient } from './admin-client.ts'
import { readExportCsv } from './import/export-csv.ts'
import { readInput } from './import/files.ts'
import { exitStatusOf, findingText, type Finding } from './import/finding.ts'
import { shownValue } from './import/literal-pattern.ts'
import { importMailboxLists, mailboxListsCommand, type ImportedOverride } from './import/mailbox-lists.ts'

const expected = { columns: ['PrimarySmtpAddress'], command: mailboxListsCommand }

/** What the API shows of a device, as far as the import asks. */
interface ShownDevice {
  readonly override?: { readonly action: string; readonly until?: string; readonly note: string }
}

/** What became of one entry. */
type Outcome = 'set' | 'stands' | Finding

/**
 * Sets the devices that mailboxes of Exchange allow or block as overrides on the running node. What an administrator
 * has already said of a device in easgate is newer, and stands.
 */
export async function importOverrides(
  args: readonly string[],
  { print, printError }: CommandContext,
  connect: () => AdminClient,
): Promise<number> {
  const [file, ...rest] = args
  if (file === undefined) throw new UsageError('devices import-overrides takes one file')
  refuseArguments('devices import-overrides', rest)
  const { overrides, findings: unread } = importMailboxLists(readExportCsv(readInput(file), expected))
  for (const finding of unread) printError(findingText(file, finding))
  const client = connect()
  const findings = [...unread]
  const done = { allow: 0, block: 0, stands: 0 }
  try {
    for (const override of overrides) {
      const outcome = await setOverride(client, override)
      if (outcome === 'set') done[override.action]++
      else if (outcome === 'stands') done.stands++
      else {
        findings.push(outcome)
        printError(findingText(file, outcome))
      }
    }
  } finally {
    const lost = findings.filter(({ kind }) => kind === 'lost').length
    print(
      `${done.allow} devices allowed, ${done.block} blocked, ${done.stands} were so before, ${lost} not carried over`,
    )
    if (done.allow + done.stands > 0) print(allowWarning)
  }
  return exitStatusOf(findings)
}

const allowWarning =
  "an allowed device gets mail whatever its compliance; Intune's connector writes these lists too: see them with " +
  'easgate devices list --override allow'

async function setOverride(
  client: AdminClient,
  { line, field, user, deviceId, action }: ImportedOverride,
): Promise<Outcome> {
  const path = `/api/devices/${encodeURIComponent(user)}/${encodeURIComponent(deviceId)}`
  const lost = (message: string): Finding => {
    return { kind: 'lost', line, field, message: `${deviceId} of ${shownValue(user)}: ${message}` }
  }
  try {
    const held = await overrideAt(client, path)
    if (held?.action === action && held.until === undefined) return 'stands'
    if (held !== undefined) {
      const until = held.until === undefined ? '' : ` until ${held.until}`
      return lost(`an administrator of easgate said ${held.action}${until} (${held.note}); it stands`)
    }
    await client.call('PUT', `${path}/override`, { action, note: `imported from Exchange: ${field}` })
    return 'set'
  } catch (error) {
    // whatever else a node answers, it will answer for the next device too
    if (error instanceof AdminError && error.status === 400) return lost(error.message)
    throw error
  }
}

/** What easgate was told of the device, unless it has ended. */
async function overrideAt(client: AdminClient, path: string): Promise<ShownDevice['override']> {
  try {
    const { override } = (await client.call('GET', path)) as ShownDevice
    return override?.until !== undefined && Date.parse(override.until) <= Date.now() ? undefined : override
  } catch (error) {
    if (error instanceof AdminError && error.status === 404) return undefined
    throw error
  }
}
