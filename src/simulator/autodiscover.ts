import type { Answer } from './answer.ts'
import type { Account, Organization } from './organization.ts'
import { queryParameter } from './query.ts'

const xml = 'text/xml; charset=utf-8'
const json = 'application/json; charset=utf-8'

/**
 * Autodiscover by XML for EAS (protocol.md section 1). The Url is the server's own, as Exchange names itself.
 * @param easUrl of this server's EAS path
 */
export function autodiscoverXml(
  organization: Organization,
  account: Account,
  body: Uint8Array,
  easUrl: string,
): Answer {
  const source = Buffer.from(body).toString()
  const address = /<EMailAddress>\s*([^<\s]+)\s*<\/EMailAddress>/i.exec(source)?.[1]
  if (address === undefined || !source.includes('mobilesync')) {
    return xmlAnswer('<Error><Status>2</Status><Message>Invalid Request</Message></Error>')
  }
  if (organization.account(address) !== account) {
    return xmlAnswer('<Error><Status>2</Status><Message>The address is not yours</Message></Error>')
  }
  const user = `<DisplayName>${escaped(account.displayName)}</DisplayName><EMailAddress>${account.upn}</EMailAddress>`
  const server = `<Type>MobileSync</Type><Url>${easUrl}</Url><Name>${easUrl}</Name>`
  return xmlAnswer(
    `<Culture>en:us</Culture><User>${user}</User><Action><Settings><Server>${server}</Server></Settings></Action>`,
  )
}

/** Autodiscover by JSON: needs no credentials, answers for any address of the organization. */
export function autodiscoverJson(organization: Organization, query: string, easUrl: string): Answer {
  const protocol = queryParameter(query, 'Protocol') ?? ''
  if (protocol.toLowerCase() !== 'activesync') return jsonAnswer(400, { ErrorCode: 'InvalidProtocol' })
  if (organization.account(queryParameter(query, 'Email') ?? '') === undefined) {
    return jsonAnswer(404, { ErrorCode: 'UserNotFound' })
  }
  return jsonAnswer(200, { Protocol: 'ActiveSync', Url: easUrl })
}

function xmlAnswer(response: string): Answer {
  const schema = 'http://schemas.microsoft.com/exchange/autodiscover'
  const body =
    `<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="${schema}/responseschema/2006">` +
    `<Response xmlns="${schema}/mobilesync/responseschema/2006">${response}</Response></Autodiscover>`
  return { status: 200, contentType: xml, body: Buffer.from(body) }
}

function jsonAnswer(status: number, value: Readonly<Record<string, string>>): Answer {
  return { status, contentType: json, body: Buffer.from(JSON.stringify(value)) }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
