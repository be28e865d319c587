import t from 'tap'
import { parseAuthorization } from '#eas/authorization.ts'
import { checkEasRows, easRows } from '../support/eas-rows.ts'

void t.test('reads an Authorization header in one strict way', async (t) => {
  checkEasRows(t, easRows<string | null>('authorization'), (header) =>
    parseAuthorization(header ?? undefined),
  )
})
