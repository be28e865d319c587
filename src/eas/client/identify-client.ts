import { LRUCache } from 'lru-cache'
import { deviceKey } from '../device-id.ts'
import { claimTexts } from './claim-texts.ts'
import type { ClaimTexts, ClientClaims } from './claim-texts.ts'
import { modelName, readClaim } from './client-rules.ts'
import type { Finding } from './client-rules.ts'
import { newestVersion } from './os-version.ts'
import { platformFamily } from './platform.ts'
import type { Platform, PlatformFamily } from './platform.ts'

export type { ClientClaims } from './claim-texts.ts'

/** Who the client is by its own claims. Each text is `unknown` where they do not tell; nothing is guessed. */
export interface ClientIdentity {
  readonly platform: Platform
  /** Dotted, as in `17.5.1`. */
  readonly osVersion: string
  readonly model: string
  /** The mail application. */
  readonly client: string
  /** Two claims name systems of different families, as an Android DeviceId with an Apple agent does. */
  readonly contradiction: boolean
}

const unknown = 'unknown'
const maxRemembered = 10_000
const contradictory: ClientIdentity = {
  platform: unknown,
  osVersion: unknown,
  model: unknown,
  client: unknown,
  contradiction: true,
}

/**
 * Who the client is, by the rules of `rules.json`. The OS of DeviceInformation beats DeviceType, which beats DeviceId,
 * which beats the agents; of those DeviceInformation's comes before the header's. Of two versions of an Apple device
 * the newer counts, as its agent may stay old after an update. Where claims contradict each other none is believed: to
 * take the platform from one would let a forger choose. A claim that gives away a program which poses as a phone
 * (TbSync's DeviceId) stands alone. The agents write a model as it is sold, so they beat DeviceType there. Total, pure.
 */
export function identifyClient(claims: ClientClaims): ClientIdentity {
  return identify(claimTexts(claims))
}

/**
 * `identifyClient` with a memory of the `max` claims used last. A miss reads the claims back from its own key, so that
 * what is kept shares no memory with a request.
 */
export function createClientIdentifier({ max = maxRemembered } = {}): (
  claims: ClientClaims,
) => ClientIdentity {
  const identities = new LRUCache<string, ClientIdentity>({ max })
  return (claims) => {
    const key = JSON.stringify(claimTexts(claims))
    const remembered = identities.get(key)
    if (remembered !== undefined) return remembered
    const identity = identify(JSON.parse(key) as ClaimTexts)
    identities.set(key, identity)
    return identity
  }
}

function identify([
  informationAgent,
  headerAgent,
  deviceType,
  deviceId,
  os,
  model,
]: ClaimTexts): ClientIdentity {
  const agents = [readClaim('agents', informationAgent), readClaim('agents', headerAgent)]
  const type = readClaim('types', deviceType)
  const id = readClaim('ids', deviceKey(deviceId))
  const system = readClaim('systems', os)
  const alone = [id, type, ...agents].find((finding) => finding?.alone)
  const heard = (alone ? [system, alone] : [system, type, id, ...agents]).filter(
    (finding) => finding !== undefined,
  )
  if (familiesNamed(heard).size > 1) return contradictory

  // an agent that no rule knows is another app, and what is usual for its DeviceType or DeviceId says nothing of it
  const agentMissing = informationAgent === '' && headerAgent === ''
  const usual = agentMissing ? heard : heard.filter((finding) => finding !== type && finding !== id)
  const platform = first(heard, 'platform') ?? first(usual, 'usualPlatform') ?? unknown
  return {
    platform,
    osVersion: osVersionOf(heard, platform) ?? unknown,
    model: modelName(model) || (first(heard.toReversed(), 'model') ?? unknown),
    client: first(heard, 'client') ?? first(usual, 'usualClient') ?? unknown,
    contradiction: false,
  }
}

function first<Field extends keyof Finding>(
  findings: readonly (Finding | undefined)[],
  field: Field,
): Finding[Field] | undefined {
  return findings.find((finding) => finding?.[field] !== undefined)?.[field]
}

function familiesNamed(findings: readonly Finding[]): ReadonlySet<PlatformFamily> {
  return new Set(
    findings.flatMap(({ platform }) => (platform === undefined ? [] : [platformFamily(platform)])),
  )
}

/** A version counts only from a claim that speaks of the same family of systems. */
function osVersionOf(findings: readonly Finding[], platform: Platform): string | undefined {
  const family = platformFamily(platform)
  const versions = findings
    .filter((finding) => platformFamily(finding.platform ?? finding.usualPlatform ?? unknown) === family)
    .map((finding) => finding.osVersion)
    .filter((version) => version !== undefined)
  return family === 'apple' ? newestVersion(versions) : versions[0]
}
