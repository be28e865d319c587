import { GraphError, shown } from './graph-error.ts'
import { isObject } from './fields.ts'

/** The app registration that a token was asked for. */
export interface AppIdentity {
  readonly tenantId: string
  readonly clientId: string
}

type Fix = (app: AppIdentity) => string

/** What is wrong and what to do, by the number of Entra's error (AADSTS…). */
const fixes: ReadonlyMap<number, Fix> = new Map<number, Fix>([
  [
    7000215,
    ({ clientId }) =>
      `the client secret of app ${clientId} is wrong: put the secret's value, not its id, into clientSecretFile`,
  ],
  [
    7000222,
    ({ clientId }) =>
      `the client secret of app ${clientId} has expired: make a new one in Entra and put its value into clientSecretFile`,
  ],
  [
    90002,
    ({ tenantId }) => `there is no tenant ${tenantId}: check tenantId, and authorityUrl for a national cloud`,
  ],
  [900023, ({ tenantId }) => `${tenantId} is no name of a tenant: check tenantId`],
  [
    700016,
    ({ tenantId, clientId }) => `tenant ${tenantId} has no app ${clientId}: check clientId and tenantId`,
  ],
  [
    700027,
    ({ clientId }) =>
      `app ${clientId} does not know the certificate: upload the one of clientCertificateFile to it in Entra`,
  ],
  [700024, () => 'the client assertion is not valid now: check the clock of this machine'],
  [7000112, ({ clientId }) => `app ${clientId} is disabled in Entra`],
])

/** The error of an answer of the token endpoint other than a token. */
export function tokenError(status: number, answer: unknown, app: AppIdentity): GraphError {
  if (status >= 500 || status === 429) {
    return new GraphError('GRAPH_UNAVAILABLE', `Entra answered ${status} when asked for a token`)
  }
  const { error_codes: codes, error_description: description } = isObject(answer) ? answer : {}
  const [code] = Array.isArray(codes) ? (codes as unknown[]) : []
  const fix = typeof code === 'number' ? fixes.get(code) : undefined
  const told = typeof description === 'string' ? (description.split(/ ?Trace ID:/)[0] ?? '') : ''
  const reason = shown(told) || `Entra answered ${status} without a reason`
  return new GraphError('TOKEN_REFUSED', fix === undefined ? reason : `${fix(app)} (${reason})`)
}
