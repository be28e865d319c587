import { EasError } from '#eas/errors.ts'
import { decodeUtf8, hasControl } from '#eas/text.ts'
import { escapeXml, parseXml, type XmlElement } from './xml.ts'

const schemas = 'http://schemas.microsoft.com/exchange/autodiscover/mobilesync'
const requestSchema = `${schemas}/requestschema/2006`
const responseSchema = `${schemas}/responseschema/2006`

const readableEncodings = /^(?:utf-8|us-ascii)$/i
const declaredEncoding = /^\uFEFF?<\?xml[^>]*\sencoding\s*=\s*["']([^"']*)["']/
const address = /^[^\s<>&"@]{1,128}@[^\s<>&"@]{1,255}$/

/**
 * Reads the body of `POST /autodiscover/autodiscover.xml`: the mobilesync schema, one address. Outlook's own schema
 * would be answered with URLs of services that this proxy does not judge. T-27, [MS-ASCMD] 2.2.1.1
 * @returns the address asked about
 * @throws {EasError} EAS_AUTODISCOVER_INVALID
 */
export function readAutodiscoverRequest(body: Uint8Array): string {
  const text = decodeUtf8(body)
  const encoding = declaredEncoding.exec(text ?? '')?.[1] ?? 'utf-8'
  const root = text === undefined || !readableEncodings.test(encoding) ? undefined : parseXml(text)
  if (root?.localName !== 'Autodiscover' || root.children.length !== 1) {
    throw invalid('expected one Autodiscover request as XML in UTF-8 without a document type')
  }
  if (namespaceOf(root) !== requestSchema) throw invalid('expected the mobilesync request schema')
  const request = root.children[0]
  const values = new Map(request?.children.map(({ localName, text: value }) => [localName, value.trim()]))
  if (request?.localName !== 'Request' || values.size !== request.children.length) {
    throw invalid('expected one Request with each element once')
  }
  if (values.get('AcceptableResponseSchema') !== responseSchema) {
    throw invalid('expected the mobilesync response schema')
  }
  const email = values.get('EMailAddress') ?? ''
  if (!address.test(email) || hasControl(email)) throw invalid('EMailAddress must be one plain address')
  return email
}

/** The body that is sent upstream: what was read, and nothing that was not. */
export function autodiscoverRequest(email: string): string {
  return (
    '<?xml version="1.0" encoding="utf-8"?>' +
    `<Autodiscover xmlns="${requestSchema}"><Request>` +
    `<EMailAddress>${escapeXml(email)}</EMailAddress>` +
    `<AcceptableResponseSchema>${responseSchema}</AcceptableResponseSchema>` +
    '</Request></Autodiscover>'
  )
}

function namespaceOf({ name, localName, attributes }: XmlElement): string | undefined {
  return attributes.get(name === localName ? 'xmlns' : `xmlns:${name.slice(0, -localName.length - 1)}`)
}

function invalid(message: string): EasError {
  return new EasError('EAS_AUTODISCOVER_INVALID', message)
}
