import t from 'tap'
import { commandFromCode, commandFromName, commandNames, servesMail } from '#eas/commands.ts'
import { checkEasRows, easRows } from '../support/eas-rows.ts'

const plainOnly = ['GetHierarchy', 'CreateCollection', 'DeleteCollection', 'MoveCollection']

void t.test('knows the code of every command', async (t) => {
  checkEasRows(t, easRows<number>('commands'), commandFromCode)
})

void t.test('knows every name, in any case, and no other', async (t) => {
  const coded = easRows<number>('commands').flatMap(({ expected }) =>
    typeof expected === 'string' ? [expected] : [],
  )
  t.strictSame([...commandNames].toSorted(), [...coded, ...plainOnly].toSorted())
  for (const name of commandNames) {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      t.equal(commandFromName(spelled), name, spelled)
    }
  }
  for (const name of ['', 'Options', 'Sync ', 'Autodiscover', '__proto__', 'constructor', '0']) {
    t.equal(commandFromName(name), undefined, `${JSON.stringify(name)} names no command`)
  }
})

void t.test('says which commands show that a pair holds real mail', async (t) => {
  t.strictSame(
    commandNames.filter((name) => !servesMail(name)),
    ['Settings', 'Ping', 'Provision', 'ValidateCert'],
  )
})
