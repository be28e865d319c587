import { modelName } from '#eas/client/client-rules.ts'
import { readDeviceOs } from './device-os.ts'
import type { ExportRow, ExportTable } from './export-csv.ts'
import type { Finding } from './finding.ts'
import { patternProblem, shownValue } from './literal-pattern.ts'
import { uniqueName } from './rule-name.ts'

/** An entry of `deviceRules`, as it is written into the policy file. */
export interface WrittenRule {
  readonly name: string
  readonly match: Readonly<Record<string, string>>
  readonly action: string
  /** In Exchange a rule fits only what a device tells. */
  readonly unknownVersionFits?: false
}

export interface ImportedRules {
  readonly rules: readonly { readonly comment: string; readonly rule: WrittenRule }[]
  readonly findings: readonly Finding[]
}

/** The order in which Exchange asks: the first characteristic that has a rule for the device decides. */
const characteristics = ['UserAgent', 'DeviceOS', 'DeviceModel', 'DeviceType'] as const
const levels = ['Allow', 'Block', 'Quarantine'] as const

type Characteristic = (typeof characteristics)[number]

/** What a row says, checked; or the fault in it. */
type ReadRow =
  | { readonly match: WrittenRule['match']; readonly rest?: string }
  | { readonly field: string; readonly message: string }

/** Device access rules of `Get-ActiveSyncDeviceAccessRule` as device rules of the policy file. facts.md 6 */
export function importAccessRules({ rows, findings: unread, isAscii }: ExportTable): ImportedRules {
  const findings: Finding[] = [...unread]
  const rules: { comment: string; rule: WrittenRule; characteristic: Characteristic }[] = []
  const names = new Set<string>()
  for (const row of rows) {
    const { line } = row
    const lose = (field: string, message: string) => findings.push({ kind: 'lost', line, field, message })
    const query = row.value('QueryString')
    const action = wordOf(levels, row.value('AccessLevel'))
    if (action === undefined) {
      lose('AccessLevel', `expected ${levels.join(', ')}, found ${shownValue(row.value('AccessLevel'))}`)
      continue
    }
    const characteristic = wordOf(characteristics, row.value('Characteristic'))
    if (characteristic === undefined) {
      lose('Characteristic', characteristicProblem(row.value('Characteristic')))
      continue
    }
    const read = readQuery(characteristic, query, isAscii)
    if ('message' in read) {
      lose(read.field, `${shownValue(query)}: ${read.message}`)
      continue
    }
    const rule: WrittenRule = {
      name: uniqueName(nameOf(row, characteristic, query), names),
      match: read.match,
      action: action.toLowerCase(),
      ...(characteristic === 'DeviceOS' && action !== 'Allow' ? { unknownVersionFits: false } : undefined),
    }
    names.add(rule.name.toLowerCase())
    if (read.rest !== undefined && read.rest !== '') {
      const message = `${shownValue(query)}: the rule does not look at ${read.rest}, it fits every device of this version`
      findings.push({ kind: 'note', line, field: 'QueryString', message })
    }
    rules.push({ comment: `${characteristic} ${shownValue(query)}, line ${line}`, rule, characteristic })
  }
  return { rules, findings: [...findings, ...notesOf(rules)] }
}

function readQuery(characteristic: Characteristic, query: string, isAscii: boolean): ReadRow {
  const field = 'QueryString'
  const problem = patternProblem(query)
  if (problem !== undefined) return { field, message: problem }
  if (isAscii && query.includes('?')) {
    const message = 'its ? may be a letter that the export lost; export again with -Encoding UTF8'
    return { field, message }
  }
  switch (characteristic) {
    case 'DeviceType':
      return { match: { deviceType: query } }
    case 'DeviceModel':
      return { match: { model: modelName(query) } }
    case 'UserAgent':
      return { match: { userAgent: query } }
    case 'DeviceOS': {
      const read = readDeviceOs(query)
      if ('reason' in read) return { field, message: read.reason }
      const { os, osVersion, rest } = read
      return { match: { os, osVersion }, rest }
    }
  }
}

function characteristicProblem(word: string): string {
  return word.toLowerCase() === 'xmswlheader'
    ? 'easgate does not look at the X-MS-WL header; see whether UserAgent or DeviceType tells these devices'
    : `expected ${characteristics.join(', ')}, found ${shownValue(word)}`
}

function wordOf<Word extends string>(words: readonly Word[], text: string): Word | undefined {
  return words.find((word) => word.toLowerCase() === text.trim().toLowerCase())
}

/** Exchange's own name, which is `iPhone (DeviceType)`. */
function nameOf(row: ExportRow, characteristic: Characteristic, query: string): string {
  return row.value('Name').trim() || `${query} (${characteristic})`
}

function notesOf(rules: readonly { readonly rule: WrittenRule; readonly characteristic: Characteristic }[]) {
  const notes: Finding[] = []
  const note = (message: string) => notes.push({ kind: 'note', line: 0, field: '', message })
  if (rules.some(({ characteristic }) => characteristic === 'DeviceModel')) {
    note('rules on a model look at the model on record first, and at what the device says only where none is')
  }
  const byAction = Map.groupBy(rules, ({ rule }) => rule.action)
  const asked = new Set(rules.map(({ characteristic }) => characteristic))
  if (byAction.size > 1 && asked.size > 1) {
    note(
      `where two rules fit one device, Exchange goes by ${characteristics.join(', ')} in this order, ` +
        'easgate by block, quarantine, allow',
    )
  }
  return notes
}
