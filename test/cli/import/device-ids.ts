import t from 'tap'
import { readDeviceIds } from '#cli/import/device-ids.ts'
import rows from '../../fixtures/cli/import/device-ids.json' with { type: 'json' }

void t.test('the ids of a cell are read, and whatever is none is named', async (t) => {
  for (const { cell, ids, problems = [], proves } of rows) {
    t.strictSame(readDeviceIds(cell), { ids, problems }, proves)
  }
})
