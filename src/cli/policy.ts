import { parseArgs } from 'node:util'
import { loadPolicy, loadSettings } from '#config/load.ts'
import { faultText } from '#config/yaml.ts'
import { createAdminClient, type AdminClient } from './admin-client.ts'
import { refuseArguments, UsageError, type Command, type CommandContext } from './command.ts'
import { importIntune } from './import-intune.ts'
import { importRules } from './import-rules.ts'

/** Exit status of `policy diff` where somebody would be refused who is let in now. */
const newlyRefusedStatus = 3

/** The policy of the running node: shows it, tries another, confirms what is held. */
export const policy: Command = {
  usage: [
    'policy show                             the policy in force, and what is held',
    'policy diff FILE [--since 30d] [--csv]  whom another policy would refuse or let in; exit status 3 if it refuses',
    'policy confirm DIGEST                   let a held change take place, as policy show tells it',
    'policy import-rules FILE [--output F]   device access rules of Exchange as deviceRules',
    'policy import-intune FILE... [--output F]  on-premises settings of Intune as conditionalAccess',
  ].join('\n'),
  run: async ([name, ...args], context) => {
    const client = () => createAdminClient(loadSettings(context.configFile).config.value.admin)
    switch (name) {
      case 'show':
        refuseArguments('policy show', args)
        return show(context, client())
      case 'diff':
        return diff(args, context, client)
      case 'confirm':
        return confirm(args, context, client)
      case 'import-rules':
        return importRules(args, context)
      case 'import-intune':
        return importIntune(args, context)
      default:
        throw new UsageError('policy takes show, diff, confirm, import-rules or import-intune')
    }
  },
}

type Connect = () => AdminClient

interface Turns {
  readonly newlyRefused: number
  readonly newlyAllowed: number
}

/** How many devices would turn, as the API counts them. */
interface Counts {
  readonly byReason: readonly (Turns & { readonly reason: string })[]
  readonly byPlatform: readonly (Turns & { readonly platform: string })[]
  readonly byGroup: readonly (Turns & { readonly group: string })[]
}

interface Weight {
  readonly inUse: number
  readonly newlyRefused: number
  readonly maxNewRefusals: number
  readonly tooHeavy: boolean
}

interface ShownPolicy {
  readonly digest: string
  readonly revision: number
  readonly since: string
  readonly actor: string
  readonly held: readonly (Weight &
    Counts & {
      readonly kind: string
      readonly name: string
      readonly digest: string
      readonly heldAt: string
    })[]
}

async function show({ print }: CommandContext, client: AdminClient): Promise<number> {
  const { digest, revision, since, actor, held } = (await client.call('GET', '/api/policy')) as ShownPolicy
  print(`policy ${digest}, revision ${revision}, in force since ${since} by ${actor}`)
  if (held.length === 0) print('nothing is held')
  for (const change of held) {
    print(`held since ${change.heldAt}: ${change.kind} ${change.name}`)
    print(`  ${weightText(change)}`)
    for (const line of countLines(change)) print(`  ${line}`)
    print(`  let it take place: easgate policy confirm ${change.digest}`)
  }
  return 0
}

async function confirm(
  args: readonly string[],
  { print }: CommandContext,
  connect: Connect,
): Promise<number> {
  const [digest, ...rest] = args
  if (digest === undefined || rest.length > 0) {
    throw new UsageError('policy confirm takes the digest of a held change; policy show tells it')
  }
  const { kind, name } = (await connect().call('POST', '/api/policy/confirm', { digest })) as {
    kind: string
    name: string
  }
  print(`${kind} ${name} (${digest}): confirmed`)
  return 0
}

interface Standing {
  readonly action: string
  readonly reason: string
  readonly mode: string
}

interface Evaluation extends Turns, Counts {
  readonly digest: string
  readonly inForce: { readonly digest: string; readonly revision: number }
  readonly since: string
  readonly devices: number
  readonly safetyCatch: Weight
  readonly changes: readonly {
    readonly user: string
    readonly deviceId: string
    readonly to: string
    readonly before: Standing
    readonly after: Standing
  }[]
  readonly more: number
}

async function diff(args: readonly string[], context: CommandContext, connect: Connect): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { since: { type: 'string' }, csv: { type: 'boolean', default: false } },
  })
  const [file, ...rest] = positionals
  if (file === undefined || rest.length > 0) throw new UsageError('policy diff takes one policy file')
  const { print, printError } = context
  // its faults are told by file and line before anybody is asked
  const { text, warnings } = loadPolicy(file)
  for (const warning of warnings) printError(`warning: ${faultText(warning)}`)
  const query = new URLSearchParams({
    format: values.csv ? 'csv' : 'json',
    ...(values.since === undefined ? undefined : { since: values.since }),
  })
  const path = `/api/policy/evaluate?${query.toString()}`
  const body = { policy: text }
  if (values.csv) return printCsv(connect().lines('POST', path, body), print)
  const evaluation = (await connect().call('POST', path, body)) as Evaluation
  for (const line of evaluationLines(file, evaluation)) print(line)
  return evaluation.newlyRefused > 0 ? newlyRefusedStatus : 0
}

async function printCsv(lines: AsyncIterable<string>, print: CommandContext['print']): Promise<number> {
  let status = 0
  for await (const line of lines) {
    // the first column says how the device would turn
    if (line.startsWith('refused,')) status = newlyRefusedStatus
    print(line)
  }
  return status
}

function evaluationLines(file: string, evaluation: Evaluation): string[] {
  const { digest, inForce, since, devices, newlyRefused, newlyAllowed, safetyCatch, changes, more } =
    evaluation
  return [
    `${file} (${digest}) against the policy in force (${inForce.digest}, revision ${inForce.revision})`,
    `${devices} devices seen since ${since}: ${turnsText({ newlyRefused, newlyAllowed })}`,
    ...countLines(evaluation),
    `safety catch: ${weightText(safetyCatch)}${safetyCatch.tooHeavy ? '; it would be held' : ''}`,
    ...changes.map(({ user, deviceId, to, before, after }) =>
      [`${to}:`.padEnd(8), user, deviceId, standingText(before), '->', standingText(after)].join('  '),
    ),
    ...(more > 0 ? [`and ${more} more; --csv lists them all`] : []),
  ]
}

function countLines({ byReason, byPlatform, byGroup }: Counts): string[] {
  return [
    ...byReason.map(({ reason, ...turns }) => `  reason ${reason}: ${turnsText(turns)}`),
    ...byPlatform.map(({ platform, ...turns }) => `  platform ${platform}: ${turnsText(turns)}`),
    ...byGroup.map(({ group, ...turns }) => `  group ${group}: ${turnsText(turns)}`),
  ]
}

function turnsText({ newlyRefused, newlyAllowed }: Turns): string {
  return `${newlyRefused} newly refused, ${newlyAllowed} newly let in`
}

function weightText({ inUse, newlyRefused, maxNewRefusals }: Weight): string {
  return `of ${inUse} devices let in during the last 24 hours ${newlyRefused} would be refused, ${maxNewRefusals} may be`
}

function standingText({ action, reason, mode }: Standing): string {
  return `${action} (${reason}${mode === 'enforce' ? '' : `, ${mode}`})`
}
