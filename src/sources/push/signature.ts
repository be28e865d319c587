import { createHmac, timingSafeEqual } from 'node:crypto'

/** The headers of a push. Their names and the form of the signature are fixed: senders are written for them. */
export const timestampHeader = 'easgate-timestamp'
export const signatureHeader = 'easgate-signature'

/** A message whose signature is good. */
export interface SignedMessage {
  /** Hex. */
  readonly signature: string
  /** By the sender's clock, ms since the epoch. */
  readonly signedAt: number
}

/** What the headers claim. */
export interface ClaimedSignature extends SignedMessage {
  /** The timestamp as it was signed. */
  readonly timestamp: string
}

const minSecretLength = 32
const maxSecrets = 8

/**
 * The secrets of a file, one a line; undefined where there is none, or one of fewer than 32 printable ASCII characters:
 * `openssl rand -hex 32` makes a good one.
 */
export function readSecrets(text: string): readonly string[] | undefined {
  const secrets = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const areGood = secrets.every((line) => line.length >= minSecretLength && /^[\x21-\x7e]+$/.test(line))
  return secrets.length > 0 && secrets.length <= maxSecrets && areGood ? secrets : undefined
}

/** Unix time in seconds, with up to three decimals for who sends more than one message a second. */
const timestampForm = /^\d{10}(?:\.\d{1,3})?$/
const signatureForm = /^v1=([0-9a-f]{64})$/

/** Reads the two headers; undefined where one is missing or has another form. */
export function claimedSignature(
  timestamp: string | undefined,
  signature: string | undefined,
): ClaimedSignature | undefined {
  const hex = signatureForm.exec(signature ?? '')?.[1]
  if (timestamp === undefined || !timestampForm.test(timestamp) || hex === undefined) return undefined
  return { timestamp, signedAt: Math.round(Number(timestamp) * 1000), signature: hex }
}

/**
 * True where one of the secrets made the signature: HMAC-SHA256 over the timestamp, a dot and the body, as they were
 * sent. Every secret is tried, and each compared in constant time.
 */
export function isSignedBy(
  secrets: readonly string[],
  { timestamp, signature }: Pick<ClaimedSignature, 'timestamp' | 'signature'>,
  body: Uint8Array,
): boolean {
  const given = Buffer.from(signature, 'hex')
  let isGood = false
  for (const secret of secrets) {
    const made = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest()
    isGood = timingSafeEqual(made, given) || isGood
  }
  return isGood
}
