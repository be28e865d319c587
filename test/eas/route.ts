import t from 'tap'
import { routeOf } from '#eas/route.ts'
import { checkEasRows, easRows } from '../support/eas-rows.ts'

void t.test('opens the listed paths in the spellings that IIS takes, and no other', async (t) => {
  checkEasRows(t, easRows<string>('route'), routeOf)
})
