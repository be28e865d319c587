import type { ClientClaims } from './client/identify-client.ts'
import { deviceKey } from './device-id.ts'
import { loginNames, type LoginRules } from './login.ts'
import type { EasRequest } from './parse.ts'

/** Who asks, from what. Names are candidates: the directory says which of them is a person. */
export interface Identity {
  /** Candidate names of the credential, best first; empty where there is no credential. */
  readonly names: readonly string[]
  /** What else names the user (`User=`, a second reading, a client certificate); each must not name another person. */
  readonly otherNames: readonly (readonly string[])[]
  /** Folded device id, see `deviceKey`; undefined where the request names no device. */
  readonly deviceKey: string | undefined
  /** What this request says of its device. */
  readonly claims: ClientClaims
}

/** What the listener knows of the connection's client certificate. */
export interface CertificateUser {
  /** UPN or mail address of the certificate's subject. */
  readonly login: string
}

/** The second step: who asks, and what the device says it is. Pure. T-15, T-17 */
export function identify(request: EasRequest, rules: LoginRules, certificate?: CertificateUser): Identity {
  const { credentials, userParameter, deviceId, deviceType, headers } = request
  const [login, ...otherLogins] = credentials.kind === 'probe' ? [] : credentials.logins
  if (userParameter !== undefined && userParameter !== login) otherLogins.push(userParameter)
  if (certificate !== undefined) otherLogins.push(certificate.login)
  return {
    names: login === undefined ? [] : loginNames(login, rules),
    otherNames: otherLogins.map((other) => loginNames(other, rules)),
    deviceKey: deviceId === undefined ? undefined : deviceKey(deviceId),
    claims: { userAgent: headers.userAgent, deviceType, deviceId },
  }
}
