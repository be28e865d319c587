import t from 'tap'
import { EasError, easErrorCodes } from '#eas/errors.ts'

void t.test('carries a code, and the byte offset in the text where there is one', async (t) => {
  const error = new EasError('EAS_QUERY_TRUNCATED', 'fewer than 8 bytes', 7)
  t.ok(error instanceof Error)
  t.equal(error.name, 'EasError')
  t.equal(error.code, 'EAS_QUERY_TRUNCATED')
  t.equal(error.offset, 7)
  t.equal(error.message, 'fewer than 8 bytes (byte 7)')
  const bare = new EasError('EAS_HOST_INVALID', 'odd')
  t.equal(bare.offset, undefined)
  t.equal(bare.message, 'odd')
})

void t.test('has a closed list of codes that are metric labels', async (t) => {
  t.equal(new Set(easErrorCodes).size, easErrorCodes.length)
  for (const code of easErrorCodes) t.match(code, /^EAS_[A-Z0-9_]+$/)
})
