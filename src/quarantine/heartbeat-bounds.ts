/** Seconds between which Exchange lets a client wait, and minutes for the older `Wait` of Sync. shared/eas/protocol.md, section 10 */
export const heartbeatBounds = { min: 60, max: 3540 } as const
export const waitBounds = { min: 1, max: 59 } as const
