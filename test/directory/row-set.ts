import { array, assert, integer, property } from 'fast-check'
import t from 'tap'
import { createRowSet } from '#directory/row-set.ts'

void t.test('holds what was added and nothing else', async (t) => {
  assert(
    property(array(integer({ min: 0, max: 200_000 })), integer({ min: 0, max: 300_000 }), (ids, other) => {
      const set = createRowSet()
      for (const id of ids) set.add(id)
      const expected = new Set(ids)
      return (
        ids.every((id) => set.has(id)) && set.size === expected.size && set.has(other) === expected.has(other)
      )
    }),
  )
  t.pass()
})
