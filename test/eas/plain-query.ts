import t from 'tap'
import { parseOptionsQuery, parsePlainQuery } from '#eas/plain-query.ts'
import { checkEasRows, easRows } from '../support/eas-rows.ts'

void t.test('reads a plain query in one way, or not at all', async (t) => {
  checkEasRows(t, easRows<string>('plain-query'), parsePlainQuery)
})

void t.test('reads the query of OPTIONS, which may lack everything', async (t) => {
  checkEasRows(t, easRows<string | null>('options-query'), (query) => parseOptionsQuery(query ?? undefined))
})
