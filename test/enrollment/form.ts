import t from 'tap'
import { readFormFields } from '#enrollment/form.ts'
import rows from '../fixtures/enrollment/forms.json' with { type: 'json' }

for (const { name, body, fields } of rows) {
  void t.test(name, async (t) => {
    const read = readFormFields(Buffer.from(body))
    t.strictSame(read && Object.fromEntries(read), fields)
  })
}

void t.test('bytes that are no text', async (t) => {
  t.equal(readFormFields(Buffer.from([0x64, 0x6f, 0x3d, 0xff])), undefined)
})
