import t from 'tap'
import { policySchema } from '#policy/schema.ts'
import { importAccessRules } from '#cli/import/access-rules.ts'
import type { ExportTable } from '#cli/import/export-csv.ts'
import rows from '../../fixtures/cli/import/access-rules.json' with { type: 'json' }

type Row = Readonly<Record<string, string>>

function table(objects: readonly Row[], isAscii = false): ExportTable {
  return {
    columns: [],
    findings: [],
    isAscii,
    rows: objects.map((object, index) => ({ line: index + 2, value: (column) => object[column] ?? '' })),
  }
}

const rule = (query: string, fields: Row = {}): Row => ({
  AccessLevel: 'Block',
  Characteristic: 'DeviceType',
  QueryString: query,
  ...fields,
})

void t.test('each rule of Exchange becomes a device rule, or is named with the reason', async (t) => {
  for (const { proves, row, rule, notes, lost } of rows) {
    const { rules, findings } = importAccessRules(table([row]))
    const [field, message] = lost ?? []
    const expected =
      lost === undefined
        ? (notes ?? []).map((note) => ({ kind: 'note', ...note }))
        : [{ kind: 'lost', line: 2, field, message }]
    t.strictSame(findings, expected, proves)
    t.strictSame(
      rules.map((imported) => imported.rule),
      rule === undefined ? [] : [rule],
      proves,
    )
    const deviceRules = rules.map((imported) => imported.rule)
    t.doesNotThrow(() => policySchema.parse({ deviceRules }), proves)
  }
})

void t.test('names are cut to what the policy file takes, and no two are the same', async (t) => {
  const long = 'x'.repeat(100)
  const { rules } = importAccessRules(
    table([rule(`${long}1`), rule(`${long}2`), rule('a', { Name: 'Same' }), rule('b', { Name: 'SAME' })]),
  )
  const names = rules.map((imported) => imported.rule.name)
  t.strictSame(names, ['x'.repeat(80), `${'x'.repeat(78)} 2`, 'Same', 'SAME 2'])
  t.doesNotThrow(() => policySchema.parse({ deviceRules: rules.map((imported) => imported.rule) }))
})

void t.test('a question mark in a file of plain ASCII may be a lost letter', async (t) => {
  t.match(importAccessRules(table([rule('?bertelefon')], true)).findings, [
    {
      kind: 'lost',
      message: '"?bertelefon": its ? may be a letter that the export lost; export again with -Encoding UTF8',
    },
  ])
  t.equal(importAccessRules(table([rule('Why?')], false)).rules.length, 1)
})

void t.test('another order of precedence is told where it can matter', async (t) => {
  const allowed = { AccessLevel: 'Allow', Characteristic: 'UserAgent' }
  t.match(importAccessRules(table([rule('a'), rule('b', allowed)])).findings, [
    {
      kind: 'note',
      line: 0,
      message: /^where two rules fit one device, Exchange goes by UserAgent, DeviceOS,/,
    },
  ])
  t.strictSame(importAccessRules(table([rule('a'), rule('b', { AccessLevel: 'Allow' })])).findings, [])
  t.strictSame(importAccessRules(table([rule('a'), rule('b', { Characteristic: 'UserAgent' })])).findings, [])
})
