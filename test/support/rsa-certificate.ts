import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Why tests with certificates do not run here; false where they do. */
export const skipWithoutOpenssl = spawnSync('openssl', ['version']).status === 0 ? false : 'no openssl here'

/** A folder of the test's own, beside `t.testdir`, that is gone after it. */
export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'easgate-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A certificate with an RSA key, as an administrator makes it for an app in Entra: PEM files. */
export function rsaCertificate(t: Test): { readonly keyFile: string; readonly certificateFile: string } {
  const folder = temporaryFolder(t)
  const [keyFile, certificateFile] = [join(folder, 'app.key'), join(folder, 'app.pem')]
  const made = spawnSync(
    'openssl',
    // prettier-ignore
    ['req', '-x509', '-newkey', 'rsa:2048', '-noenc', '-days', '2', '-subj', '/CN=easgate', '-keyout', keyFile,
      '-out', certificateFile],
    { encoding: 'utf8' },
  )
  if (made.status !== 0) throw new Error(made.stderr)
  return { keyFile, certificateFile }
}
