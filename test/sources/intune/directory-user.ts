import t from 'tap'
import { hasName, readDirectoryUser } from '#sources/intune/directory-user.ts'
import rows from '../../fixtures/sources/directory-users.json' with { type: 'json' }

const id = 'f8550532-0000-4000-8000-6a7b7c20dde6'
const domains = new Map([
  ['corp', 'contoso.example'],
  ['old', 'Contoso.Example'],
  ['other', 'fabrikam.example'],
])

void t.test('every name that may stand in a login leads to the user', async (t) => {
  for (const { title, record, user, aliases } of rows.good) {
    t.strictSame(
      readDirectoryUser({ id, ...record }, domains),
      { user: { id, user, aliases: [id, ...aliases] } },
      title,
    )
  }
})

void t.test('a record that is not what the documentation says is skipped with its id', async (t) => {
  for (const { title, record, field } of rows.malformed) {
    t.match(readDirectoryUser({ id, ...record }, domains), { malformed: { field } }, title)
  }
  t.match(readDirectoryUser('x', domains), { malformed: { id: '' } })
})

void t.test('a name is the UPN or an alias, and nothing else', async (t) => {
  const user = { user: 'a@x', aliases: ['b@x'] }
  t.same(
    ['a@x', 'b@x', 'c@x', ''].map((name) => hasName(user, name)),
    [true, true, false, false],
  )
})
