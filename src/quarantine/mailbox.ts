/** The one message, ready to be sent. `renderNotice` makes it of texts; all four are free of control characters but line breaks. */
export interface Notice {
  readonly subject: string
  readonly senderName: string
  readonly text: string
  readonly html: string
}

/** What the answers to one quarantined pair are made of. */
export interface QuarantineMailbox {
  /** The directory's name for the user, as a rule an address: the message is sent to it. */
  readonly user: string
  /** The key under which all spellings of the device id are one. */
  readonly deviceKey: string
  /**
   * With other words or another link it is another message: the phone drops the old one and shows it as new. So a link
   * that expires must stay the same for as long as it is good.
   */
  readonly notice: Notice
  /** 32 bytes, the same on all nodes and over restarts. */
  readonly signingKey: Uint8Array
  /** Milliseconds since the epoch. */
  readonly now: number
}
