/** Command codes of the base64 query. [MS-ASHTTP] 2.2.1.1.1.1.2. Codes 5 to 8 are unassigned and refused. */
const byCode = [
  'Sync',
  'SendMail',
  'SmartForward',
  'SmartReply',
  'GetAttachment',
  undefined,
  undefined,
  undefined,
  undefined,
  'FolderSync',
  'FolderCreate',
  'FolderDelete',
  'FolderUpdate',
  'MoveItems',
  'GetItemEstimate',
  'MeetingResponse',
  'Search',
  'Settings',
  'Ping',
  'ItemOperations',
  'Provision',
  'ResolveRecipients',
  'ValidateCert',
  'Find',
] as const

/** Commands of the 2.5 era, named only in a plain query. */
const plainOnly = ['GetHierarchy', 'CreateCollection', 'DeleteCollection', 'MoveCollection'] as const

/** Every command that the `Cmd` parameter or the command code of a POST can name. */
export type CommandName = Exclude<(typeof byCode)[number], undefined> | (typeof plainOnly)[number]

const assigned = byCode.filter((name) => name !== undefined)
const byLowerCaseName = new Map<string, CommandName>(
  [...assigned, ...plainOnly].map((name) => [name.toLowerCase(), name]),
)

/** All commands, for closed metric labels and tables that must be total. */
export const commandNames: readonly CommandName[] = [...byLowerCaseName.values()]

/** The command that a `Cmd` value names, compared without case as Exchange does; undefined if there is none. */
export function commandFromName(name: string): CommandName | undefined {
  return byLowerCaseName.get(name.toLowerCase())
}

/** The command that a code names; undefined for an unassigned code. */
export function commandFromCode(code: number): CommandName | undefined {
  return byCode[code]
}

const withoutMail = new Set<string>([
  'Provision',
  'Settings',
  'Ping',
  'ValidateCert',
  'Options',
  'Autodiscover',
])

/**
 * True for commands whose successful answer carries mail or acts on the mailbox: a pair that got one from Exchange
 * holds real mail. The others say nothing of that.
 */
export function servesMail(command: string): boolean {
  return !withoutMail.has(command)
}
