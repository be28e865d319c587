import t from 'tap'
import { EasError } from '#eas/errors.ts'
import { autodiscoverRequest, readAutodiscoverRequest } from '#proxy/autodiscover/autodiscover-request.ts'
import { proxyRows } from '../../support/proxy-rows.ts'

const schemas = 'http://schemas.microsoft.com/exchange/autodiscover/mobilesync'

interface Row {
  readonly name: string
  readonly proves: string
  /** `{REQUEST}` and `{RESPONSE}` stand for the mobilesync schemas. */
  readonly input: string
  readonly expected?: string
  readonly code?: string
}

function bodyOf({ input }: Row): Buffer {
  return Buffer.from(
    input
      .replaceAll('{REQUEST}', `${schemas}/requestschema/2006`)
      .replaceAll('{RESPONSE}', `${schemas}/responseschema/2006`),
  )
}

function read(body: Buffer): string {
  try {
    return readAutodiscoverRequest(body)
  } catch (error) {
    if (error instanceof EasError) return error.code
    throw error
  }
}

void t.test('reads the one schema that phones use and refuses all else, T-27', (t) => {
  for (const row of proxyRows<Row>('autodiscover-requests')) {
    t.equal(read(bodyOf(row)), row.expected ?? row.code, `${row.name} [${row.proves}]`)
  }
  t.end()
})

void t.test('refuses bytes that are not UTF-8', (t) => {
  const [row] = proxyRows<Row>('autodiscover-requests')
  if (row === undefined) throw new Error('no rows')
  const utf16 = Buffer.from(bodyOf(row).toString(), 'utf16le')
  t.equal(read(utf16), 'EAS_AUTODISCOVER_INVALID')
  t.equal(read(Buffer.concat([bodyOf(row), Buffer.from([0xff])])), 'EAS_AUTODISCOVER_INVALID')
  t.end()
})

void t.test('sends on what it read, and it reads the same again', (t) => {
  for (const row of proxyRows<Row>('autodiscover-requests')) {
    if (row.expected === undefined) continue
    t.equal(read(Buffer.from(autodiscoverRequest(row.expected))), row.expected, row.name)
  }
  t.end()
})
