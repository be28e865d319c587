import { scanWbxml } from './wbxml/scan.ts'

const wholeNumber = /^\d{1,9}$/
const secondsPerMinute = 60

/**
 * The seconds that a Ping or a hanging Sync asks the server to hold the request: `HeartbeatInterval` (seconds), for Sync
 * also `Wait` (minutes), the first of them where both stand (Exchange then refuses the body). As the client wrote it,
 * so it may lie outside of Exchange's range. [MS-ASCMD] Ping, Sync
 * @returns undefined where none is given (an empty body repeats a stored one), where it is no whole number and where the
 *   body is not readable up to it
 */
export function heartbeatSeconds(command: 'Ping' | 'Sync', body: Uint8Array): number | undefined {
  const root = command === 'Ping' ? 'Ping:Ping' : 'AirSync:Sync'
  const heartbeat = command === 'Ping' ? 'Ping:HeartbeatInterval' : 'AirSync:HeartbeatInterval'
  let value = ''
  let unitSeconds = 1
  scanWbxml(body, (name, depth, text) => {
    if (depth === 0) return name !== root
    if (depth !== 1) return false
    if (name === heartbeat) {
      value = text()
      return true
    }
    if (command === 'Sync' && name === 'AirSync:Wait') {
      value = text()
      unitSeconds = secondsPerMinute
      return true
    }
    return false
  })
  return wholeNumber.test(value) ? Number(value) * unitSeconds : undefined
}
