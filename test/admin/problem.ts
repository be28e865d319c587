import t from 'tap'
import { Problem, problemOf } from '#admin/problem.ts'
import { DirectoryError } from '#directory/errors.ts'

void t.test('is a problem document (RFC 9457)', async (t) => {
  const problem = new Problem(400, 'Bad Request', '1 fault', [
    { index: 0, field: 'user', message: 'expected' },
  ])
  t.strictSame(JSON.parse(JSON.stringify(problem)), {
    type: 'about:blank',
    title: 'Bad Request',
    status: 400,
    detail: '1 fault',
    errors: [{ index: 0, field: 'user', message: 'expected' }],
  })
  t.strictSame(JSON.parse(JSON.stringify(new Problem(404, 'Not Found', 'nothing'))), {
    type: 'about:blank',
    title: 'Not Found',
    status: 404,
    detail: 'nothing',
  })
})

void t.test('tells what a caller can act on, and nothing of a fault', async (t) => {
  const own = new Problem(404, 'Not Found', 'nothing')
  t.equal(problemOf(own), own)
  for (const [error, status, detail] of [
    [new DirectoryError('CURSOR_INVALID', 'the cursor is not ours'), 400, 'the cursor is not ours'],
    [new DirectoryError('STORE_WRITE_FAILED', 'the disk is full'), 503, 'the disk is full'],
    [new DirectoryError('STORE_CLOSED', 'the store is closed'), 503, 'the store is closed'],
    [new TypeError('secret internals'), 500, 'see the log of easgate'],
    ['no error at all', 500, 'see the log of easgate'],
  ] as const) {
    const { status: told, message } = problemOf(error)
    t.strictSame([told, message], [status, detail])
  }
})
