import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A request as the load generator sends it, over and over. */
export interface BenchRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

interface Capture {
  readonly request: { readonly bodyHex: string }
  readonly response: { readonly bodyHex: string }
}

function capture(name: string): Capture {
  const file = join(import.meta.dirname, '../../test/fixtures/captures', `${name}.json`)
  return JSON.parse(readFileSync(file, 'utf8')) as Capture
}

const syncBody = Buffer.from(capture('14.0-plain-sync-1').request.bodyHex, 'hex')

/** A Sync answer without changes: a new SyncKey, Status 1. */
export const syncAnswer = Buffer.from(capture('12.1-base64-sync-0').response.bodyHex, 'hex')

/** The Sync of an iPhone, with a captured body of 111 bytes. */
export function syncRequest(user: string, deviceId: string): BenchRequest {
  return {
    path: `/Microsoft-Server-ActiveSync?Cmd=Sync&User=${encodeURIComponent(user)}&DeviceId=${deviceId}&DeviceType=iPhone`,
    headers: {
      Authorization: `Basic ${Buffer.from(`${user}:a password`).toString('base64')}`,
      'User-Agent': 'Apple-iPhone14C2/2005.61',
      Accept: '*/*',
      'Accept-Language': 'en-us',
      'Accept-Encoding': 'gzip, deflate, br',
      'Content-Type': 'application/vnd.ms-sync.wbxml',
      'MS-ASProtocolVersion': '16.1',
      'X-MS-PolicyKey': '448705310',
    },
    body: syncBody,
  }
}
