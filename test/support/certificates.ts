import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Key and certificate in PEM, and the files that hold them. */
export interface TestCertificate {
  readonly key: string
  readonly cert: string
  readonly keyFile: string
  readonly certFile: string
}

export interface CertificateRequest {
  /** Lines of an openssl `[dn]` section: `CN=alice`. */
  readonly subject: readonly string[]
  /** Lines of an openssl alternative name section: `email.1=alice@example.com`. */
  readonly alternatives?: readonly string[]
  /** Further sections, as text. */
  readonly sections?: string
  /** Signs it; it signs itself where there is none. */
  readonly issuer?: TestCertificate
}

/** Makes real certificates in a directory of its own. */
export interface CertificateMaker {
  readonly make: (request: CertificateRequest) => TestCertificate
  readonly remove: () => void
}

/** Undefined where this machine has no openssl. */
export function certificateMaker(): CertificateMaker | undefined {
  if (spawnSync('openssl', ['version']).status !== 0) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'easgate-certificates-'))
  let made = 0
  return {
    make: ({ subject, alternatives = [], sections = '', issuer }) => {
      const base = join(directory, String(++made))
      const [keyFile, certFile, configFile] = [`${base}.key`, `${base}.crt`, `${base}.cnf`]
      const extensions = alternatives.length === 0 ? '' : 'subjectAltName=@alternatives\n'
      writeFileSync(
        configFile,
        '[req]\ndistinguished_name=dn\nprompt=no\nutf8=yes\nstring_mask=utf8only\n' +
          `[dn]\n${subject.join('\n')}\n` +
          `[extensions]\nbasicConstraints=critical,CA:${issuer === undefined ? 'TRUE' : 'FALSE'}\n${extensions}` +
          `[alternatives]\n${alternatives.join('\n')}\n${sections}`,
      )
      const signed = issuer === undefined ? [] : ['-CA', issuer.certFile, '-CAkey', issuer.keyFile]
      const result = spawnSync(
        'openssl',
        // prettier-ignore
        ['req', '-new', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2', '-utf8',
          '-config', configFile, '-extensions', 'extensions', '-keyout', keyFile, '-out', certFile, ...signed],
        { encoding: 'utf8' },
      )
      if (result.status !== 0) throw new Error(result.stderr)
      return { keyFile, certFile, key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8') }
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}
