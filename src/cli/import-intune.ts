import { parseArgs } from 'node:util'
import { UsageError, type CommandContext } from './command.ts'
import { readInput, writeOutput } from './import/files.ts'
import { exitStatusOf, findingText, type Finding, type Tell } from './import/finding.ts'
import { readGraphJson } from './import/intune-json.ts'
import { readIntuneEntity, type IntuneRules } from './import/intune-settings.ts'
import { policyText } from './import/policy-text.ts'
import { uniqueName } from './import/rule-name.ts'

/** Keys of the policy file that are given once, in its order. */
const singleKeys = [
  'mode',
  'targetedGroups',
  'exemptedGroups',
  'defaultAccess',
  'overrideDefaultRule',
] as const

/**
 * Turns Intune's on-premises settings, as Graph gives them, into a part of the policy file, and names every setting
 * that cannot be one.
 */
export async function importIntune(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, positionals: files } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { output: { type: 'string' } },
  })
  if (files.length === 0) throw new UsageError('policy import-intune takes at least one file')
  const rules: IntuneRules = { platformExceptions: [], families: [] }
  const findings: Finding[] = []
  const texts: string[] = []
  for (const file of files) {
    for (const finding of readFile(file, rules)) {
      findings.push(finding)
      texts.push(findingText(file, finding))
    }
  }
  const lost = findings.filter(({ kind }) => kind === 'lost').length
  const summary = `Intune's on-premises settings; ${lost} could not be carried over`
  writeOutput(policyText(contentOf(rules), [`${summary}.`, ...texts], []), values.output, context)
  for (const text of texts) context.printError(text)
  context.printError(summary)
  return exitStatusOf(findings)
}

/** Adds what one file says; a key that was given before stands. */
function readFile(file: string, rules: IntuneRules): readonly Finding[] {
  const findings: Finding[] = []
  const tell: Tell = (kind, field, message) => findings.push({ kind, line: 0, field, message })
  for (const entity of readGraphJson(readInput(file), tell)) readIntuneEntity(entity, rules, tell)
  return findings
}

function contentOf(rules: IntuneRules) {
  const { platformExceptions, families } = rules
  const single = singleKeys.filter((key) => rules[key] !== undefined).map((key) => [key, rules[key]])
  const names = new Set<string>()
  const deviceRules = families.map(({ deviceType, action }) => {
    const name = uniqueName(`${deviceType} (Intune family)`, names)
    names.add(name.toLowerCase())
    return { name, match: { deviceType }, action }
  })
  const onPremises = {
    ...Object.fromEntries(single),
    ...(platformExceptions.length === 0 ? undefined : { platformExceptions }),
  }
  return { conditionalAccess: { onPremises }, ...(deviceRules.length === 0 ? undefined : { deviceRules }) }
}
