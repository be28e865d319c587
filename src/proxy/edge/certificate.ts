import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { EasError } from '#eas/errors.ts'
import type { CertificateUser } from '#eas/identify.ts'

/**
 * The user whom the client certificate of a connection names: the UPN of its subject alternative names, else the mail
 * address there, else that of its subject.
 * @returns undefined where the client presented no certificate
 * @throws {EasError} EAS_AUTHORIZATION_INVALID where it does not verify, names nobody, or names two users
 */
export function certificateUser(socket: Socket): CertificateUser | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  if (!socket.authorized) throw refused('the client certificate does not verify')
  const alternatives = alternativeNames(certificate.subjectAltName ?? '')
  const named = [
    valuesOf(alternatives, 'othername', 'UPN:'),
    valuesOf(alternatives, 'email'),
    subjectAddresses(certificate),
  ].find((values) => values.size > 0)
  const [login, ...others] = named ?? []
  if (login === undefined) throw refused('the client certificate names no user')
  if (others.length > 0) throw refused('the client certificate names two users')
  return { login }
}

interface AlternativeName {
  readonly kind: string
  readonly value: string
}

/** `kind:value`, or `kind:"value"` in JSON where the value holds what could be taken for the next name. */
const alternativeName = /([A-Za-z ]+):(?:("(?:[^"\\]|\\.)*")|([^",]*))(?:, |$)/y

/**
 * Splits Node's text of the subject alternative names. A value with commas or quotes in it stands there as a JSON text,
 * so that it cannot pass for two names.
 */
function alternativeNames(text: string): AlternativeName[] {
  const names: AlternativeName[] = []
  alternativeName.lastIndex = 0
  while (alternativeName.lastIndex < text.length) {
    const [match, kind, quoted, bare] = alternativeName.exec(text) ?? []
    if (match === undefined || kind === undefined) throw refused('unreadable subject alternative names')
    names.push({ kind, value: quoted === undefined ? (bare ?? '') : (JSON.parse(quoted) as string) })
  }
  return names
}

function valuesOf(names: readonly AlternativeName[], kind: string, prefix = ''): Set<string> {
  return new Set(
    names
      .filter((name) => name.kind === kind && name.value.startsWith(prefix))
      .map(({ value }) => value.slice(prefix.length).toLowerCase()),
  )
}

function subjectAddresses(certificate: X509Certificate): Set<string> {
  const address: unknown = new Map(Object.entries(certificate.toLegacyObject().subject)).get('emailAddress')
  const addresses: unknown[] = Array.isArray(address) ? address : [address]
  return new Set(addresses.filter((entry) => typeof entry === 'string').map((entry) => entry.toLowerCase()))
}

function refused(message: string): EasError {
  return new EasError('EAS_AUTHORIZATION_INVALID', message)
}
