import { createHmac, timingSafeEqual } from 'node:crypto'
import type { QuarantineMailbox } from './mailbox.ts'
import { ownPrefix } from './own-ids.ts'

/** Who the keys are made for. A key of another user, device or node family does not verify. */
export type KeyHolder = Pick<QuarantineMailbox, 'user' | 'deviceKey' | 'signingKey'>

/** 128 bits. */
const macBytes = 16

/**
 * A SyncKey that carries its own state: prefix, then state and MAC in base64url. At most 64 characters up to 26 bytes of
 * state, as the protocol wants. [MS-ASCMD] SyncKey
 */
export function sealKey(holder: KeyHolder, collectionId: string, state: Uint8Array): string {
  return ownPrefix + Buffer.concat([state, macOf(holder, collectionId, state)]).toString('base64url')
}

/** The state in a SyncKey; undefined for a key of Exchange, of somebody else, or made by hand. */
export function openKey(holder: KeyHolder, collectionId: string, syncKey: string): Buffer | undefined {
  if (!syncKey.startsWith(ownPrefix)) return undefined
  const encoded = syncKey.slice(ownPrefix.length)
  const sealed = Buffer.from(encoded, 'base64url')
  // Buffer skips what is no base64: only one spelling of a key verifies
  if (sealed.length <= macBytes || sealed.toString('base64url') !== encoded) return undefined
  const state = sealed.subarray(0, -macBytes)
  return timingSafeEqual(sealed.subarray(-macBytes), macOf(holder, collectionId, state)) ? state : undefined
}

/** `temporary` is given with the policy, `final` for its acknowledgement. [MS-ASPROV] PolicyKey */
export type PolicyPhase = 'temporary' | 'final'

/** An unsigned 32-bit number other than 0, always the same for a device: nothing has to be remembered. */
export function policyKey({ user, deviceKey, signingKey }: KeyHolder, phase: PolicyPhase): number {
  const digest = hmac(signingKey, ['easgate quarantine PolicyKey', user, deviceKey, phase])
  return digest.readUInt32BE() || 1
}

function macOf({ user, deviceKey, signingKey }: KeyHolder, collectionId: string, state: Uint8Array): Buffer {
  const encoded = Buffer.from(state).toString('base64url')
  const digest = hmac(signingKey, ['easgate quarantine SyncKey', user, deviceKey, collectionId, encoded])
  return digest.subarray(0, macBytes)
}

/** As JSON, so that no two lists are one text. */
function hmac(signingKey: Uint8Array, parts: readonly string[]): Buffer {
  return createHmac('sha256', signingKey).update(JSON.stringify(parts)).digest()
}
