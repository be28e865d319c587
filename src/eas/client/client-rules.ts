import { buildOfAgentNumber, iosVersionOfBuild } from './apple-build.ts'
import { unpackSamsungVersion } from './os-version.ts'
import { platforms } from './platform.ts'
import type { Platform } from './platform.ts'
import table from './rules.json' with { type: 'json' }

/** What a rule says of every claim it matches. The fields are told in `about` of `rules.json`. */
interface Said {
  readonly platform: Platform | undefined
  readonly usualPlatform: Platform | undefined
  readonly client: string | undefined
  readonly usualClient: string | undefined
  readonly alone: boolean
}

/** What one claim says, by its rule and by what the rule's groups caught. */
export interface Finding extends Said {
  readonly osVersion: string | undefined
  readonly model: string | undefined
}

/** Where a claim stands: User-Agent, DeviceType, DeviceId, and the OS of DeviceInformation. */
export type ClaimKind = 'agents' | 'types' | 'ids' | 'systems'

interface Rule {
  readonly pattern: RegExp
  readonly said: Said
}

interface RuleRow {
  readonly match: string
  readonly platform?: string | undefined
  readonly usualPlatform?: string | undefined
  readonly client?: string | undefined
  readonly usualClient?: string | undefined
  readonly alone?: boolean | undefined
}

const rules: Readonly<Record<ClaimKind, readonly Rule[]>> = {
  agents: table.agents.map(toRule),
  types: table.types.map(toRule),
  ids: table.ids.map(toRule),
  systems: table.systems.map(toRule),
}

/** What a claim says by the first rule of its list that matches; undefined where none does or the text is empty. */
export function readClaim(kind: ClaimKind, text: string): Finding | undefined {
  if (text === '') return undefined
  for (const { pattern, said } of rules[kind]) {
    const match = pattern.exec(text)
    if (match !== null) return { ...said, ...caught(match.groups ?? {}) }
  }
  return undefined
}

/** Apple's model as Apple writes it, `iPhone10,5` for `iPhone10C5`; any other text as it is. */
export function modelName(text: string): string {
  return text.replace(/^(iPhone|iPad|iPod)(\d{1,2})C(\d{1,2})$/i, '$1$2,$3')
}

function caught(groups: Readonly<Record<string, string | undefined>>): Pick<Finding, 'osVersion' | 'model'> {
  const { version, samsungVersion, agentNumber, model, appleModel } = groups
  const build = agentNumber === undefined ? undefined : buildOfAgentNumber(agentNumber)
  return {
    osVersion:
      version ??
      (samsungVersion === undefined ? undefined : unpackSamsungVersion(samsungVersion)) ??
      (build === undefined ? undefined : iosVersionOfBuild(build)),
    model: model ?? (appleModel === undefined ? undefined : modelName(appleModel)),
  }
}

function toRule(row: RuleRow): Rule {
  return {
    pattern: new RegExp(row.match, 'i'),
    said: {
      platform: toPlatform(row.platform),
      usualPlatform: toPlatform(row.usualPlatform),
      client: row.client,
      usualClient: row.usualClient,
      alone: row.alone ?? false,
    },
  }
}

function toPlatform(word: string | undefined): Platform | undefined {
  if (word === undefined) return undefined
  const platform = platforms.find((known) => known === word)
  if (platform === undefined) throw new Error(`rules.json names a platform that is none: ${word}`)
  return platform
}
