import t from 'tap'
import { parseFieldPath, valueAt, valuesAt } from '#sources/http/field-path.ts'

const record = JSON.parse(
  '{"a":{"b":[{"c":1},{"c":[2,3]},{}]},"@odata.id":"x","a/b":{"~":true},"__proto__":{"evil":1},"list":["p","q"]}',
) as unknown

void t.test('reads names with dots between, a pointer, or the whole', async (t) => {
  const rows: [path: string, value: unknown][] = [
    ['.', record],
    ['a.b.0.c', 1],
    ['/a/b/1/c/0', 2],
    ['/@odata.id', 'x'],
    ['/a~1b/~0', true],
    ['@odata.id', undefined],
    ['a.b.9.c', undefined],
    ['a.b.0.c.d', undefined],
    ['list.1', 'q'],
    ['/', undefined],
  ]
  for (const [path, value] of rows) t.strictSame(valueAt(record, parseFieldPath(path)), value, path)
})

void t.test('reads only what the record itself has (T-49)', async (t) => {
  for (const path of ['toString', 'constructor.name', 'a.__proto__', 'list.length.x', '/a/hasOwnProperty'])
    t.equal(valueAt(record, parseFieldPath(path)), undefined, path)
  t.strictSame(valueAt(record, parseFieldPath('__proto__.evil')), 1, 'as a name of the record it is one')
})

void t.test('a star is every entry of a list', async (t) => {
  const rows: [path: string, values: readonly unknown[]][] = [
    ['a.b.*.c', [1, 2, 3, undefined]],
    ['list', ['p', 'q']],
    ['list.*', ['p', 'q']],
    ['a.*', []],
    ['nothing', [undefined]],
  ]
  for (const [path, values] of rows) t.strictSame(valuesAt(record, parseFieldPath(path)), values, path)
})
