import t from 'tap'
import { loginNames } from '#eas/login.ts'
import { checkEasRows, easRows } from '../support/eas-rows.ts'

interface LoginInput {
  readonly login: string
  readonly rules: { readonly defaultDomain?: string; readonly domains: Record<string, string> }
}

void t.test('maps a login to directory names by configured domains only', async (t) => {
  checkEasRows(t, easRows<LoginInput>('login'), ({ login, rules }) =>
    loginNames(login, {
      defaultDomain: rules.defaultDomain,
      domains: new Map(Object.entries(rules.domains)),
    }),
  )
})
