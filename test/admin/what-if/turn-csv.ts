import { parse } from 'csv-parse/sync'
import t from 'tap'
import type { Turn } from '#admin/what-if/compare.ts'
import { turnCsv } from '#admin/what-if/turn-csv.ts'
import { refused, seenPair, turn } from '../../support/turns.ts'

async function csvOf(turns: readonly Turn[]): Promise<string> {
  async function* given() {
    yield* turns
  }
  return (await Array.fromAsync(turnCsv(given()))).join('')
}

void t.test('writes a header, and a line for each device', async (t) => {
  const csv = await csvOf([
    turn({ groups: ['sales', 'staff'] }),
    turn({ to: 'allowed', before: { ...refused, mode: 'report-only' } }),
  ])
  t.equal(
    csv,
    [
      'to,user,deviceId,platform,groups,lastSeenAt,actionBefore,reasonBefore,ruleBefore,modeBefore,actionAfter,reasonAfter,ruleAfter,modeAfter',
      'refused,alice@example.com,ApplA,iOS,sales;staff,1970-01-01T00:00:01.000Z,allow,compliant,compliance,enforce,block,noncompliant,compliance: passcode,enforce',
      'allowed,alice@example.com,ApplA,iOS,,1970-01-01T00:00:01.000Z,block,noncompliant,compliance: passcode,report-only,allow,compliant,compliance,enforce',
      '',
    ].join('\n'),
  )
  t.equal((await csvOf([])).split('\n').length, 2, 'the header alone')
})

void t.test('whatever a name holds, a reader of CSV gets it back', async (t) => {
  const names = ['a,b', 'say "hello"', 'two\nlines', '"', ',', ' blanks ', 'Émile 𝕏']
  const csv = await csvOf(
    names.map((user) =>
      turn({ pair: seenPair({ user }), after: { ...refused, rule: `device-rules: ${user}` } }),
    ),
  )
  const rows = parse(csv, { columns: true }) as { user: string; ruleAfter: string }[]
  t.strictSame(
    rows.map(({ user }) => user),
    names,
  )
  t.strictSame(
    rows.map(({ ruleAfter }) => ruleAfter),
    names.map((name) => `device-rules: ${name}`),
  )
})
