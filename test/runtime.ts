import t from 'tap'
import { refuseUnsafeRuntime, type Runtime } from '../src/runtime.ts'

const good: Runtime = { versions: { node: '26.10.0' }, execArgv: [], env: {} }

void t.test('a runtime whose checks are switched off does not serve (T-60)', async (t) => {
  for (const [change, message] of [
    [{ execArgv: ['--insecure-http-parser'] }, /--insecure-http-parser/],
    [{ execArgv: ['--inspect', '--insecure_http_parser'] }, /--insecure-http-parser/],
    [{ env: { NODE_OPTIONS: '--max-old-space-size=512  --insecure-http-parser' } }, /--insecure-http-parser/],
    [
      { env: { NODE_OPTIONS: '"--max-old-space-size=512" "--insecure\\-http-parser"' } },
      /--insecure-http-parser/,
    ],
    [{ env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } }, /NODE_TLS_REJECT_UNAUTHORIZED/],
    [{ versions: { node: '24.1.0' } }, /^easgate needs Node 26 or later; this is 24\.1\.0$/],
  ] as const) {
    t.throws(() => refuseUnsafeRuntime({ ...good, ...change }), { name: 'EnvironmentError', message })
  }
})

void t.test('any other runtime serves', async (t) => {
  for (const change of [
    {},
    { versions: { node: '30.0.0' } },
    { execArgv: ['--max-old-space-size=512', '--no-insecure-http-parser'] },
    { env: { NODE_OPTIONS: '', NODE_TLS_REJECT_UNAUTHORIZED: '1' } },
  ]) {
    t.doesNotThrow(() => refuseUnsafeRuntime({ ...good, ...change }))
  }
})
