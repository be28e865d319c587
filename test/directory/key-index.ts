import t from 'tap'
import { createKeyIndex } from '#directory/key-index.ts'

void t.test('keeps the keys of a term until they are deleted', async (t) => {
  const index = createKeyIndex(10)
  t.same(index.keys('a'), [])
  index.add('a', '1')
  index.add('a', '1')
  t.same(index.keys('a'), ['1'])
  index.add('a', '2')
  index.add('b', '1')
  t.same(index.keys('a'), ['1', '2'])
  index.delete('a', '1')
  t.same(index.keys('a'), ['2'])
  index.delete('a', '2')
  index.delete('b', '9')
  t.same(index.keys('a'), [])
  t.same(index.keys('b'), ['1'])
  index.delete('b', '1')
  index.delete('b', '1')
  t.same(index.keys('b'), [])
})

void t.test('gives back the oldest key of a term that has too many (T-51)', async (t) => {
  const index = createKeyIndex(2)
  t.same(
    ['1', '2', '3'].map((key) => index.add('a', key)),
    [undefined, undefined, '1'],
  )
})

void t.test('terms called like the properties of objects are terms like others (T-11)', async (t) => {
  const index = createKeyIndex(2)
  t.same(index.keys('__proto__'), [])
  index.add('__proto__', 'constructor')
  t.same(index.keys('__proto__'), ['constructor'])
  t.same(index.keys('constructor'), [])
})
