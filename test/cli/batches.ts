import t from 'tap'
import { batchesOf } from '#cli/batches.ts'

void t.test('records go in batches that the API takes, in their order', async (t) => {
  const records = Array.from({ length: 2001 }, (_, number) => ({ number }))
  const batches = [...batchesOf(records)]
  t.strictSame(
    batches.map((batch) => batch.length),
    [1000, 1000, 1],
  )
  t.strictSame(batches.flat(), records)
  t.strictSame([...batchesOf([])], [])
})

void t.test('long records go in smaller batches, one that is too long alone', async (t) => {
  const batches = [...batchesOf(['a'.repeat(600_000), 'b'.repeat(600_000), 'c'.repeat(2_000_000), 'd', 'e'])]
  t.strictSame(
    batches.map((batch) => batch.map((text) => text[0])),
    [['a'], ['b'], ['c'], ['d', 'e']],
  )
})
