import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readExportCsv } from '#cli/import/export-csv.ts'

const expected = { columns: ['Name', 'DeviceId'], command: 'Get-Something | Export-Csv' }
const bytes = (text: string) => new TextEncoder().encode(text)
const fixture = (file: string) => readFileSync(join(import.meta.dirname, '../../fixtures/cli/import', file))

void t.test('reads every encoding and delimiter that PowerShell writes', async (t) => {
  const rules = { columns: ['QueryString', 'AccessLevel'], command: '' }
  for (const file of ['rules-utf8-bom.csv', 'rules-utf8.csv', 'rules-utf16.csv']) {
    const { rows, findings, columns, isAscii } = readExportCsv(fixture(file), rules)
    t.strictSame(findings, [], file)
    t.equal(columns.length, 13, file)
    t.equal(isAscii, false, file)
    t.strictSame(
      rows.map((row) => row.value('querystring')),
      [
        'iPhone',
        'iOS 6.1 10B145',
        'Android 4.1.2',
        'Android',
        'Übertelefon 3',
        'iPhone10C5',
        'NokiaE521/2.00()MailforExchange',
        'Touchdown*',
        '1.0',
        'He said "no", twice',
      ],
      file,
    )
    t.equal(rows.at(-1)?.value('AdminDisplayName'), 'line one\r\nline two')
    t.equal(rows.at(-1)?.line, file === 'rules-utf8.csv' ? 11 : 12, 'lines are counted with the #TYPE line')
  }
  t.equal(readExportCsv(fixture('rules-ascii.csv'), rules).isAscii, true)
})

void t.test('a file in another encoding is refused whole, and told how to write it', async (t) => {
  const utf16 = fixture('rules-utf16.csv')
  for (const [what, file] of [
    ['a code page of Windows', fixture('rules-ansi.csv')],
    ['UTF-16 without its mark', utf16.subarray(2)],
    ['UTF-16 cut in the middle', utf16.subarray(0, 101)],
    ['UTF-32', Buffer.concat([Buffer.from([0xff, 0xfe, 0, 0]), Buffer.from('N\0\0\0')])],
  ] as const) {
    const { rows, findings } = readExportCsv(file, expected)
    t.strictSame(rows, [], what)
    t.match(findings, [{ kind: 'lost', line: 0, message: /^expected UTF-8, or UTF-16 .* -Encoding UTF8$/ }])
  }
})

void t.test('a header that is not the expected one is named, with the command that writes it', async (t) => {
  t.match(readExportCsv(bytes('#TYPE x\n"Name";"Colour"\n'), expected).findings, [
    {
      line: 2,
      message: 'expected the columns DeviceId, found name, colour; export with: Get-Something | Export-Csv',
    },
  ])
  t.match(readExportCsv(bytes(''), expected).findings, [
    { line: 1, message: /^expected the columns Name, DeviceId, found no header line/ },
  ])
  t.match(readExportCsv(bytes('Name,DeviceId,name\n'), expected).findings, [
    { line: 1, message: 'the column name stands twice' },
  ])
})

void t.test(
  'names of columns count without case, values keep their space, absent columns are empty',
  async (t) => {
    const { rows } = readExportCsv(bytes('"name"\t"DeviceID"\n" a "\t"1"\n'), expected)
    t.strictSame(
      rows.map((row) => [row.value('Name'), row.value('DEVICEID'), row.value('Other')]),
      [[' a ', '1', '']],
    )
  },
)

void t.test('a record that cannot be read is named and costs none outside of its quotes', async (t) => {
  const text = 'Name,DeviceId\na,1\nb\n\nc"x,3\n"d"y,4\n"e,5\nf"x,6\n"g",7\n"h,8\ni,9\n'
  const { rows, findings } = readExportCsv(bytes(text), expected)
  t.strictSame(
    rows.map((row) => [row.line, row.value('Name')]),
    [
      [2, 'a'],
      [9, 'g'],
    ],
  )
  t.strictSame(
    findings.map(({ line, message }) => [line, message]),
    [
      [3, 'expected 2 cells as in the header, found 1'],
      [5, 'expected comma separated cells; check the quotes'],
      [6, 'expected comma separated cells; check the quotes'],
      [7, 'expected comma separated cells; check the quotes; its quotes take it on to line 8'],
      [10, 'a quote that opens here is never closed, so nothing from here on was read'],
    ],
  )
})
