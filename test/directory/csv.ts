import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readFactsCsv } from '#directory/csv.ts'

const fixture = (file: string): string =>
  readFileSync(join(import.meta.dirname, '../fixtures/directory', file), 'utf8')

void t.test('reads lists, booleans, times and empty cells', async (t) => {
  t.same(readFactsCsv(fixture('devices.csv')), {
    records: [
      {
        place: 2,
        record: {
          user: 'alice@example.com',
          aliases: ['example\\alice', 'al@example.com'],
          groups: ['all-staff', 'sales'],
          deviceId: 'ApplDEMOALICE1',
          enrolled: true,
          registered: true,
          activated: true,
          complianceState: 'compliant',
          platform: 'iOS',
          osVersion: '17.5.1',
          model: 'iPhone 15, Pro',
          ownership: 'company',
          jailbroken: false,
          encrypted: true,
          passcode: true,
          emailProfileManaged: false,
          wipePending: false,
          lastCheckIn: Date.UTC(2026, 1, 28, 12),
        },
      },
      { place: 4, record: { user: 'dave@example.com', groups: ['exempt'] } },
    ],
    faults: [],
  })
})

void t.test('a byte order mark and any line ends are read', async (t) => {
  const text = '\uFEFFuser,groups\r\na@example.com,x\rb@example.com,y\n'
  t.same(
    readFactsCsv(text).records.map(({ place, record }) => [place, record.user]),
    [
      [2, 'a@example.com'],
      [3, 'b@example.com'],
    ],
  )
})

void t.test('bad rows are named by line and field, good rows are kept', async (t) => {
  const { records, faults } = readFactsCsv(fixture('bad-rows.csv'))
  t.same(
    records.map(({ place, record }) => [place, record.deviceId]),
    [
      [2, 'ApplA'],
      [10, 'ApplH'],
    ],
  )
  t.match(faults, [
    { place: 3, field: 'deviceId' },
    { place: 4, field: 'enrolled', message: 'expected true or false' },
    { place: 5, field: '', message: /quotes/ },
    { place: 6, field: '', message: 'expected 4 cells as in the header, found 3' },
    { place: 7, field: '', message: /quotes/ },
    { place: 8, field: 'user' },
    { place: 9, field: 'deviceId', message: 'already given in line 2' },
  ])
  t.equal(faults.length, 7)
})

const header = (text: string) => readFactsCsv(`${text}\na@example.com,x\n`)

void t.test('a wrong header is named, and no row is guessed at', async (t) => {
  t.match(header('user,compliance'), {
    records: [],
    faults: [{ place: 1, field: 'compliance', message: /known column/ }],
  })
  t.match(header('user,user'), { records: [], faults: [{ place: 1, field: 'user', message: /twice/ }] })
  t.match(header('deviceId,groups'), {
    records: [],
    faults: [{ place: 1, field: 'user', message: /needed/ }],
  })
  t.match(header('user;groups'), {
    records: [],
    faults: [{ place: 1, field: 'user;groups' }, { field: 'user' }],
  })
  t.match(header('"user,groups'), { records: [], faults: [{ place: 1, message: /quotes/ }] })
  t.match(readFactsCsv('\n\n'), { records: [], faults: [{ message: /header/ }] })
})

void t.test('one bad line in many costs that line only', async (t) => {
  const lines = Array.from({ length: 1200 }, (_, row) => `u${row}@example.com,${row === 700 ? '"' : 'g'}`)
  const { records, faults } = readFactsCsv(['user,groups', ...lines].join('\n'))
  t.equal(records.length, 1199)
  t.match(faults, [{ place: 702 }])
})
