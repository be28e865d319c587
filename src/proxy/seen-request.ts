import type { ClientClaims, ClientIdentity } from '#eas/client/identify-client.ts'
import { versionFromText } from '#eas/versions.ts'
import type { SeenPair } from '#directory/seen-pairs.ts'
import type { DecisionRequest } from '#policy/criterion.ts'
import type { Facts } from '#policy/facts.ts'

/** What a pair's next request would ask of the policy: with the claims of its last one. */
export function seenRequest(
  { deviceId, deviceType, userAgent, protocolVersion }: SeenPair,
  { history }: Facts,
  identifyClient: (claims: ClientClaims) => ClientIdentity,
  backend: Pick<DecisionRequest, 'service' | 'minProtocolVersion'>,
): DecisionRequest {
  return {
    service: backend.service,
    minProtocolVersion: backend.minProtocolVersion,
    deviceId,
    userMismatch: false,
    deviceType,
    userAgent,
    client: identifyClient({ deviceId, deviceType, userAgent, information: history.information }),
    protocolVersion: protocolVersion === undefined ? undefined : versionFromText(protocolVersion),
  }
}
