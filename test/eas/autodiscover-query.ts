import t from 'tap'
import { parseAutodiscoverQuery } from '#eas/autodiscover-query.ts'
import { checkEasRows, easRows } from '../support/eas-rows.ts'

void t.test('lets only the known parameters and a plain address through', async (t) => {
  checkEasRows(t, easRows<string | null>('autodiscover-query'), (query) =>
    parseAutodiscoverQuery(query ?? undefined),
  )
})
