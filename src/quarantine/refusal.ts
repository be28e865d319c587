/**
 * AccessDenied, for what this mailbox takes from nobody: mail to be sent, a new folder. The client keeps what it wanted
 * to send and tells the user. Not 129 (DeviceIsBlocked), which makes a client give up the whole account.
 * shared/eas/protocol.md, section 8
 */
export const accessDenied = { status: 130, httpStatus: 403 } as const

/** A request that lacks what it must have. */
export const invalidContent = { status: 103, httpStatus: 400 } as const
