import { createDevice, type Device } from './device.ts'
import { Mailbox, folderType } from './mailbox.ts'
import { completeMessage, type MessageContent, type MessageDraft } from './message.ts'

/** A person with a mailbox. Answers to the UPN, to `domain\name` and to the bare name, without case. */
export interface SimulatedUser {
  /** UPN and mail address, `alice@example.com`. */
  readonly upn: string
  /** NetBIOS domain, `EXAMPLE`. */
  readonly domain: string
  readonly password: string
  readonly displayName?: string
  readonly messages?: readonly MessageDraft[]
}

/** A user with what the server holds for them. */
export interface Account {
  readonly upn: string
  /** The name before the @. */
  readonly alias: string
  readonly password: string
  readonly displayName: string
  readonly mailbox: Mailbox
  /** Partnerships by device id in lower case. */
  readonly devices: Map<string, Device>
  /** Out of office: 0 off, 1 on, 2 by time. */
  oofState: string
}

/** The users of one Exchange organization and the mail between them. */
export class Organization {
  readonly accounts: readonly Account[]
  readonly now: () => number
  readonly #byName = new Map<string, Account>()

  constructor(users: readonly SimulatedUser[], now: () => number) {
    this.now = now
    this.accounts = users.map((user) => this.#open(user))
  }

  /** Finds a user by any of the three names. */
  account(name: string): Account | undefined {
    return this.#byName.get(name.toLowerCase())
  }

  /** As `account`, for callers to whom an unknown user is a mistake. */
  requireAccount(name: string): Account {
    const account = this.account(name)
    if (account === undefined) throw new Error(`no such user: ${name}`)
    return account
  }

  /** The partnership of a device, made at its first request. */
  device(account: Account, deviceId: string, deviceType: string): Device {
    const known = account.devices.get(deviceId.toLowerCase())
    if (known !== undefined) return known
    const device = createDevice(deviceId, deviceType)
    account.devices.set(deviceId.toLowerCase(), device)
    return device
  }

  /** Puts a message into a user's inbox. */
  deliver(account: Account, draft: MessageDraft): void {
    const inbox = account.mailbox.folderOfType(folderType.inbox)
    account.mailbox.add(inbox, completeMessage(draft, account.upn, this.now()))
  }

  /** Delivers to every recipient who has a mailbox here; others are somebody else's mail. */
  submit(content: MessageContent, recipients: readonly string[]): void {
    const local = new Set(recipients.map((address) => this.account(address)))
    for (const account of local) {
      account?.mailbox.add(account.mailbox.folderOfType(folderType.inbox), { ...content, read: false })
    }
  }

  #open(user: SimulatedUser): Account {
    const alias = user.upn.slice(0, user.upn.indexOf('@'))
    const account: Account = {
      upn: user.upn,
      alias,
      password: user.password,
      displayName: user.displayName ?? alias,
      mailbox: new Mailbox(),
      devices: new Map(),
      oofState: '0',
    }
    for (const name of [user.upn, `${user.domain}\\${alias}`, alias])
      this.#byName.set(name.toLowerCase(), account)
    for (const draft of user.messages ?? []) this.deliver(account, draft)
    return account
  }
}
