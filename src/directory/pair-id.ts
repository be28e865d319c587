import { hash } from 'node:crypto'

/** 128 bits: nobody finds a second pair of the same name. */
const idBytes = 16

/**
 * A name of 22 characters (base64url) for a pair, the same on every node: for where user and device id themselves are
 * too long. Who guesses both can tell it, so it is no secret.
 */
export function pairId(user: string, deviceKey: string): string {
  return hash('sha256', JSON.stringify([user, deviceKey]), 'buffer')
    .subarray(0, idBytes)
    .toString('base64url')
}
