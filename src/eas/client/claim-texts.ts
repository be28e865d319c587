import type { DeviceInformation } from '../device-information.ts'

/** What a client says of itself; all of it is chosen by the client and can be forged. */
export interface ClientClaims {
  readonly userAgent?: string | undefined
  readonly deviceType?: string | undefined
  readonly deviceId?: string | undefined
  /** Sent once per partnership, in Settings or Provision; to be remembered per device. */
  readonly information?: Pick<DeviceInformation, 'model' | 'os' | 'userAgent'> | undefined
}

/** The claims as bounded texts, empty where missing; the agent of DeviceInformation stands before the header's. */
export type ClaimTexts = readonly [
  informationAgent: string,
  headerAgent: string,
  deviceType: string,
  deviceId: string,
  os: string,
  model: string,
]

const maxAgentLength = 512
const maxTextLength = 128

/** Bounds what is matched and kept: 512 characters of a User-Agent, 128 of any other text. T-52 */
export function claimTexts({ userAgent, deviceType, deviceId, information }: ClientClaims): ClaimTexts {
  return [
    bound(information?.userAgent, maxAgentLength),
    bound(userAgent, maxAgentLength),
    bound(deviceType, maxTextLength),
    bound(deviceId, maxTextLength),
    bound(information?.os, maxTextLength),
    bound(information?.model, maxTextLength),
  ]
}

function bound(text: string | undefined, maxLength: number): string {
  return text?.slice(0, maxLength).trim() ?? ''
}
