const plainId = /^[A-Za-z0-9._-]{1,64}$/
const lettersAndDigits = /^[A-Za-z0-9]+$/
const evenHex = /^(?:[0-9A-Fa-f]{2})+$/

/** True for a DeviceId that this product accepts: 1 to 64 of ASCII letters, digits, `-`, `_`, `.`. T-02 */
export function isDeviceId(text: string): boolean {
  return plainId.test(text)
}

/**
 * The id that the bytes of a base64 query stand for: their ASCII where all are letters and digits, else upper-case
 * hex. Observed of real clients, see shared/eas/protocol.md section 4; [MS-ASHTTP] 2.2.1.1.1.1 does not say.
 */
export function deviceIdFromBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = buffer.toString('latin1')
  return lettersAndDigits.test(text) ? text : buffer.toString('hex').toUpperCase()
}

/**
 * The key under which every spelling of one id is found: lower case, and an id that is the hex of another id becomes
 * that one, down to the last (some servers and MDMs store a base64 id as hex). So a key is its own key. Records keep
 * their own spelling; where two spellings of one key disagree, the directory takes the stricter. T-01, T-06
 */
export function deviceKey(deviceId: string): string {
  let id = deviceId
  while (evenHex.test(id)) {
    const text = Buffer.from(id, 'hex').toString('latin1')
    if (!isDeviceId(text)) break
    id = text
  }
  return id.toLowerCase()
}
