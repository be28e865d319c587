import t from 'tap'
import { createRecordReader } from '#sources/http/read-record.ts'
import { httpConfig } from '../../support/mdm.ts'
import rows from '../../fixtures/sources/mapped-records.json' with { type: 'json' }

for (const { name, mapping, item, read, unknown } of rows) {
  void t.test(name, async (t) => {
    const words: string[] = []
    const config = httpConfig({ bulkUrl: 'https://mdm.example.com/', mapping })
    const reader = createRecordReader(config.mapping, (field, word) => words.push(`${field}: ${word}`))
    t.strictSame(reader(item), read ?? undefined)
    t.strictSame(words, unknown ?? [])
  })
}
