import t from 'tap'
import { modelName, readClaim } from '#eas/client/client-rules.ts'
import rules from '../../../src/eas/client/rules.json' with { type: 'json' }
import { readTsv } from '../../support/tsv.ts'

interface Row {
  readonly match: string
  readonly why: string
  readonly platform?: string | undefined
  readonly usualPlatform?: string | undefined
  readonly client?: string | undefined
  readonly usualClient?: string | undefined
}

const rows: readonly Row[] = [...rules.agents, ...rules.types, ...rules.ids, ...rules.systems]

void t.test('anchors every pattern and bounds every quantifier (T-52)', async (t) => {
  for (const { match } of rows) {
    t.match(match, /^\^/, match)
    const withoutClasses = match.replaceAll(/\[[^\]]*\]/g, '[]')
    t.notMatch(withoutClasses, /[*+]|\{\d+,\}/, match)
  }
})

void t.test('says why of every rule, and names something', async (t) => {
  for (const row of rows) {
    t.ok(row.why, row.match)
    t.ok(row.client ?? row.platform ?? row.usualPlatform, row.match)
  }
})

void t.test('names clients by the words of the sample alone', async (t) => {
  const words = new Set(readTsv('clients', 'clients-sample.tsv').map((row) => row['ClientApp']))
  for (const { client, usualClient } of rows) {
    for (const word of [client, usualClient]) if (word !== undefined) t.ok(words.has(word), word)
  }
})

void t.test('gives what the first matching rule says and what its groups catch', async (t) => {
  t.match(readClaim('agents', 'apple-iphone10c5/1606.250'), {
    platform: 'iOS',
    client: 'Apple Mail',
    osVersion: '12.3.2',
    model: 'iphone10,5',
    alone: false,
  })
  t.equal(readClaim('agents', ''), undefined)
  t.equal(readClaim('agents', 'no such agent'), undefined)
})

void t.test('writes Apple’s models with a comma and leaves others alone', async (t) => {
  t.equal(modelName('iPhone10C5'), 'iPhone10,5')
  t.equal(modelName('iPad3,6'), 'iPad3,6')
  t.equal(modelName('SM-C5000'), 'SM-C5000')
})
