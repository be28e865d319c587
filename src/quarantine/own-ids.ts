/**
 * How everything begins that the quarantine mailbox hands out: folder ids, item ids, SyncKeys. Exchange issues numbers,
 * so that a key or id with it is ours wherever it comes up. shared/eas/protocol.md, section 15
 */
export const ownPrefix = 'easgate-'

/** The one folder. */
export const inboxId = `${ownPrefix}inbox`

/** True for a SyncKey or id that only the quarantine mailbox can have given, whoever may have made it up. */
export function isOwn(keyOrId: string | undefined): boolean {
  return keyOrId?.startsWith(ownPrefix) === true
}
