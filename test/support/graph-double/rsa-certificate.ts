import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** PEM of a key and its self-signed certificate, and their files. */
export interface RsaCertificate {
  readonly key: string
  readonly cert: string
  readonly keyFile: string
  readonly certFile: string
}

/** Makes one for client assertions (PS256 takes RSA only); undefined where this machine has no openssl. */
export function rsaCertificate(folder: string, name = 'app'): RsaCertificate | undefined {
  const [keyFile, certFile] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)]
  const { status } = spawnSync(
    'openssl',
    // prettier-ignore
    ['req', '-x509', '-newkey', 'rsa:2048', '-noenc', '-days', '2', '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', certFile],
  )
  if (status !== 0) return undefined
  return { keyFile, certFile, key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8') }
}
