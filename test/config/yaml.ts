import t from 'tap'
import { z } from 'zod'
import { checkSchema, faultText, readYaml } from '#config/yaml.ts'

const schema = z.strictObject({
  name: z.string().optional(),
  port: z.int().min(1).optional(),
  mode: z.enum(['on', 'off']).optional(),
  list: z.array(z.strictObject({ id: z.string() })).default([]),
})

function check(text: string, environment: Readonly<Record<string, string>> = {}) {
  return checkSchema(readYaml(text, 'x.yaml', environment), schema)
}

void t.test('a fault reads file:line: path: message, less what it does not have', async (t) => {
  t.equal(
    faultText({
      file: 'config/easgate.yaml',
      line: 12,
      path: 'listen.address',
      message: 'expected host:port',
    }),
    'config/easgate.yaml:12: listen.address: expected host:port',
  )
  t.equal(
    faultText({ file: 'a.yaml', line: 0, path: 'routing', message: 'missing' }),
    'a.yaml: routing: missing',
  )
  t.equal(faultText({ file: 'a.yaml', line: 3, path: '', message: 'bad' }), 'a.yaml:3: bad')
})

void t.test('puts the environment into texts, and only there', async (t) => {
  const environment = { NAME: 'a: [b', PART: 'x' }
  t.strictSame(check('name: ${NAME}', environment).value, { name: 'a: [b', list: [] })
  t.strictSame(check('name: "<${PART}-${PART}>" # ${NOT_HERE}', environment).value, {
    name: '<x-x>',
    list: [],
  })
  t.strictSame(check('list: [{ id: "${PART}" }]', environment).value, { list: [{ id: 'x' }] })
  t.strictSame(check('name: $PART ${1} ${}', environment).value, { name: '$PART ${1} ${}', list: [] })
})

void t.test('a value is never repeated: it may be a secret', async (t) => {
  const { faults } = check('mode: hunter2\nport: ${SECRET}\nname: [hunter2]', { SECRET: 'hunter2' })
  t.equal(faults.length, 3)
  t.notMatch(faults.map(faultText).join('\n'), /hunter2/)
})

void t.test('finds the line of a key, not of what stands below it', async (t) => {
  const { faults } = check(`
list:
  - id: a

  - id: 5
    more:
      deep: 1
  - {}
other:
  # nothing yet
  deep: 1
`)
  t.strictSame(faults.map(faultText), [
    'x.yaml:5: list.1.id: expected a text, found a number',
    'x.yaml:6: list.1.more: unknown key',
    'x.yaml:8: list.2.id: missing: expected a text',
    'x.yaml:9: other: unknown key',
  ])
})

void t.test('finds keys that YAML reads as numbers', async (t) => {
  t.strictSame(check('name: a\n\n8080: x').faults.map(faultText), ['x.yaml:3: 8080: unknown key'])
})

function messages(text: string): readonly string[] {
  return check(text).faults.map(({ message }) => message)
}

void t.test('says what was expected', async (t) => {
  t.strictSame(messages('mode: maybe'), ['expected one of on, off'])
  t.strictSame(messages('mode: true'), ['expected one of on, off'])
  t.strictSame(messages('port: 0'), ['expected at least 1'])
  t.strictSame(messages('port: "80"'), ['expected a number, found a text'])
  t.strictSame(messages('port: false'), ['expected a number, found a boolean'])
  t.strictSame(messages('list: {}'), ['expected a list, found a map'])
  t.strictSame(messages('list: [[]]'), ['expected a map of keys, found a list'])
  t.strictSame(messages('[]'), ['expected a map of keys, found a list'])
})

void t.test('off is a text, as YAML 1.2 has it', async (t) => {
  t.strictSame(check('mode: off').value, { mode: 'off', list: [] })
})

void t.test('an empty file is an empty map', async (t) => {
  for (const text of ['', '# nothing\n', '---\n']) t.strictSame(check(text).value, { list: [] })
})

void t.test('goes on after a key that stands twice, and refuses the file all the same', async (t) => {
  const { faults } = check('name: a\nname: b\nport: 0')
  t.strictSame(faults.map(faultText), [
    'x.yaml:2: this key stands twice',
    'x.yaml:3: port: expected at least 1',
  ])
  t.equal(check('name: a\nname: b').faults.length, 1)
})

void t.test('refuses text that is not one plain YAML document', async (t) => {
  const many = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    'b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]',
    'c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]',
    'd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]',
  ].join('\n')
  const texts: readonly (readonly [text: string, line: number])[] = [
    ['name: [a', 1],
    ['name: a\n\tport: 1', 2],
    ['name: a\n---\nname: b', 2],
    ['name: !secret a', 1],
    ['name: *nobody', 0],
    [many, 0],
  ]
  for (const [text, line] of texts) {
    t.throws(() => readYaml(text, 'x.yaml', {}), { name: 'ConfigError', faults: [{ line, path: '' }] }, text)
  }
})
