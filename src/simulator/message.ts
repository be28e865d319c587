/** A file in a message. */
export interface Attachment {
  readonly name: string
  readonly contentType: string
  readonly content: Uint8Array
  /** Set for a picture that the HTML body shows. */
  readonly contentId?: string
}

/** A message on its way into a mailbox. Addresses are header values: `Bob <bob@example.com>, …`. */
export interface MessageContent {
  readonly from: string
  readonly to: string
  readonly cc: string
  readonly subject: string
  readonly text: string
  readonly html: string | undefined
  readonly attachments: readonly Attachment[]
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  readonly read: boolean
}

/** A message in a folder. `serverId` changes when it moves, as Exchange's does. */
export interface Message extends MessageContent {
  readonly serverId: string
  /** Flagged for follow-up: Email:Flag Status 2. */
  readonly flagged: boolean
  /** Rises when more than the read flag or the flag changed. */
  readonly revision: number
}

/** The part of a message that a test or the demo writes; the rest has plain defaults. */
export interface MessageDraft {
  readonly from: string
  readonly subject: string
  readonly text: string
  readonly html?: string
  readonly attachments?: readonly Attachment[]
  readonly to?: string
  readonly cc?: string
  readonly receivedAt?: number
  readonly read?: boolean
}

/** Fills in what a draft leaves out. */
export function completeMessage(draft: MessageDraft, to: string, now: number): MessageContent {
  return {
    from: draft.from,
    to: draft.to ?? to,
    cc: draft.cc ?? '',
    subject: draft.subject,
    text: draft.text,
    html: draft.html,
    attachments: draft.attachments ?? [],
    receivedAt: draft.receivedAt ?? now,
    read: draft.read ?? false,
  }
}
