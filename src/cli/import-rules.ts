import { parseArgs } from 'node:util'
import { UsageError, type CommandContext } from './command.ts'
import { importAccessRules } from './import/access-rules.ts'
import { readExportCsv } from './import/export-csv.ts'
import { readInput, writeOutput } from './import/files.ts'
import { exitStatusOf, findingText } from './import/finding.ts'
import { policyText } from './import/policy-text.ts'

const expected = {
  columns: ['AccessLevel', 'Characteristic', 'QueryString'],
  command: 'Get-ActiveSyncDeviceAccessRule | Export-Csv rules.csv -NoTypeInformation -Encoding UTF8',
}

/**
 * Turns Exchange's device access rules, as `Export-Csv` wrote them, into `deviceRules` of the policy file, and names
 * every rule that cannot be one.
 */
export async function importRules(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { output: { type: 'string' } },
  })
  const [file, ...rest] = positionals
  if (file === undefined || rest.length > 0) throw new UsageError('policy import-rules takes one file')
  const { rules, findings } = importAccessRules(readExportCsv(readInput(file), expected))
  const texts = findings.map((finding) => findingText(file, finding))
  const lost = findings.filter(({ kind }) => kind === 'lost').length
  const summary = `${rules.length} of Exchange's device access rules carried over, ${lost} not`
  const content = { deviceRules: rules.map(({ rule }) => rule) }
  const comments = rules.map(({ comment: text }, index) => ({ path: ['deviceRules', index], text }))
  writeOutput(policyText(content, [`${summary}.`, ...texts], comments), values.output, context)
  for (const text of texts) context.printError(text)
  context.printError(summary)
  return exitStatusOf(findings)
}
