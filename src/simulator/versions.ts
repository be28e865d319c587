/** A protocol version times ten, as the first byte of a base64 query has it (protocol.md section 4). */
export type ProtocolVersion = 25 | 120 | 121 | 140 | 141 | 160 | 161

/** Server versions that can be played: Exchange 2010 SP3 and Exchange 2019. */
export type ServerVersion = '14.3' | '15.2'

const spellings: ReadonlyMap<string, ProtocolVersion> = new Map([
  ['2.5', 25],
  ['12.0', 120],
  ['12.1', 121],
  ['14.0', 140],
  ['14.1', 141],
  ['16.0', 160],
  ['16.1', 161],
])
const codes: ReadonlyMap<number, ProtocolVersion> = new Map(
  [...spellings.values()].map((version) => [version, version]),
)

/** Reads `14.1`; undefined for a version that the protocol does not have. */
export function versionOfText(text: string): ProtocolVersion | undefined {
  return spellings.get(text.trim())
}

/** Reads the version byte of a base64 query. */
export function versionOfCode(code: number): ProtocolVersion | undefined {
  return codes.get(code)
}

/** The spelling for headers, `14.1`. */
export function versionText(version: ProtocolVersion): string {
  return (version / 10).toFixed(1)
}

/** What each server offers in MS-ASProtocolVersions (protocol.md section 2). */
export const offeredVersions: Readonly<Record<ServerVersion, readonly string[]>> = {
  '14.3': ['2.0', '2.1', '2.5', '12.0', '12.1', '14.0', '14.1'],
  '15.2': ['2.0', '2.1', '2.5', '12.0', '12.1', '14.0', '14.1', '16.0', '16.1'],
}

/** The headers by which client and server agree: on OPTIONS and on FolderSync key 0 (protocol.md sections 2 and 6). */
export function negotiationHeaders(protocolVersions: readonly string[]): Record<string, string> {
  return {
    'MS-ASProtocolVersions': protocolVersions.join(','),
    'MS-ASProtocolCommands': protocolVersions.includes('16.1') ? `${commandsOf143},Find` : commandsOf143,
  }
}

const commandsOf143 =
  'Sync,SendMail,SmartForward,SmartReply,GetAttachment,GetHierarchy,CreateCollection,DeleteCollection,' +
  'MoveCollection,FolderSync,FolderCreate,FolderDelete,FolderUpdate,MoveItems,GetItemEstimate,MeetingResponse,' +
  'Search,Settings,Ping,ItemOperations,Provision,ResolveRecipients,ValidateCert'
