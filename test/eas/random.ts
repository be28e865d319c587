import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { commandNames } from '#eas/commands.ts'
import { EasError } from '#eas/errors.ts'
import { parseRequest, type EasRequest, type RawRequest } from '#eas/parse.ts'
import { easPath } from '#eas/route.ts'
import pieces from '../fixtures/eas/tampering.json' with { type: 'json' }
import { base64Query } from '../support/base64-query.ts'
import { readLeniently } from '../support/lenient-query.ts'

// One seed, so that a failure of today is a failure of tomorrow.
const bounds = { seed: 4711, numRuns: 1000 }

const anyText = fc.string({ unit: 'binary', maxLength: 60 })
const idText = fc.stringMatching(/^[A-Za-z0-9._-]{1,32}$/)
const userName = fc.constantFrom('alice', 'Bob@example.com', 'CORP\\carol', 'jürgen', 'dave+x@example.com')

const plainPart = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(fc.mixedCase(fc.constant(name)), value).map(([left, right]) => `${left}=${right}`)

const plainQuery = fc
  .tuple(
    plainPart('Cmd', fc.mixedCase(fc.constantFrom(...commandNames))),
    plainPart('DeviceId', idText),
    plainPart('DeviceType', fc.constantFrom('iPhone', 'SAMSUNGSMG920F')),
    fc.option(plainPart('User', userName.map(encodeURIComponent)), { nil: undefined }),
  )
  .map((parts) => parts.filter((part) => part !== undefined))
  .chain((parts) => fc.shuffledSubarray(parts, { minLength: parts.length }))
  .map((parts) => parts.join('&'))

const tagged = fc.uniqueArray(
  fc.oneof(
    fc.tuple(fc.integer({ min: 0, max: 6 }), fc.uint8Array({ maxLength: 8 })),
    fc.tuple(fc.constant(7), fc.uint8Array({ min: 0, max: 3, minLength: 1, maxLength: 1 })),
    fc.tuple(
      fc.constant(8),
      userName.map((user) => Buffer.from(user)),
    ),
  ),
  { selector: ([tag]) => tag, maxLength: 4 },
)
const validBase64 = fc
  .record({
    version: fc.constantFrom(121, 140, 141, 160, 161),
    command: fc.constantFrom(0, 1, 2, 3, 4, 9, 18, 20, 23),
    deviceId: fc.oneof(
      idText.map((id) => Buffer.from(id)),
      fc.uint8Array({ minLength: 1, maxLength: 32 }),
    ),
    policyKey: fc.option(fc.nat(), { nil: undefined }),
    deviceType: fc.constantFrom('iPhone', 'WP8'),
    parameters: tagged,
  })
  .map(base64Query)

const forms = [
  ['plain', plainQuery],
  ['base64', validBase64],
] as const

/** A good query with up to two pieces put in where an attacker might. */
const tampered = (query: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(query, fc.array(fc.tuple(fc.nat(200), fc.constantFrom(...pieces)), { maxLength: 2 }))
    .map(([start, changes]) =>
      changes.reduce((text, [place, insert]) => {
        const at = place % (text.length + 1)
        return text.slice(0, at) + insert + text.slice(at)
      }, start),
    )

/** The request as it was read; undefined where it was refused. Anything but an EasError fails the property. */
function readOrRefused(raw: RawRequest): EasRequest | undefined {
  try {
    return parseRequest(raw)
  } catch (error) {
    assert(error instanceof EasError, String(error))
    return undefined
  }
}

const posted = (query: string): RawRequest => ({
  method: 'POST',
  target: `${easPath}?${query}`,
  httpVersion: '1.1',
  rawHeaders: [],
})

void t.test('gives a request or an EasError, whatever stands in the request line and headers', async () => {
  const header = fc.oneof(
    fc.tuple(
      fc.constantFrom(
        'Authorization',
        'Connection',
        'Content-Length',
        'Cookie',
        'Host',
        'MS-ASProtocolVersion',
        'Transfer-Encoding',
        'X-MS-PolicyKey',
      ),
      anyText,
    ),
    fc.tuple(
      fc.constant('Authorization'),
      fc
        .tuple(fc.constantFrom('Basic ', 'Bearer ', 'NTLM '), fc.base64String())
        .map((parts) => parts.join('')),
    ),
    fc.tuple(
      fc.constant('Authorization'),
      fc
        .jsonValue()
        .map((claims) => `Bearer a.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.b`),
    ),
    fc.tuple(anyText, anyText),
  )
  fc.assert(
    fc.property(
      fc.record({
        method: fc.oneof(fc.constantFrom('POST', 'OPTIONS', 'GET', 'PUT'), anyText),
        target: fc.oneof(
          fc
            .tuple(
              fc.constantFrom(
                easPath,
                '/autodiscover/autodiscover.json',
                '/autodiscover/autodiscover.xml',
                '/',
              ),
              fc.constantFrom('?', '', '/'),
              fc.oneof(anyText, fc.base64String(), tampered(plainQuery), tampered(validBase64)),
            )
            .map((parts) => parts.join('')),
          anyText,
        ),
        httpVersion: fc.oneof({ weight: 9, arbitrary: fc.constantFrom('1.1', '1.0') }, anyText),
        rawHeaders: fc.array(header, { maxLength: 5 }).map((lines) => lines.flat()),
      }),
      (raw) => {
        readOrRefused(raw)
      },
    ),
    bounds,
  )
})

void t.test('decides on what a tolerant server will read in the forwarded query', async (t) => {
  for (const [form, query] of forms) {
    const outcomes = { read: 0, refused: 0 }
    fc.assert(
      fc.property(tampered(query), (text) => {
        const request = readOrRefused(posted(text))
        outcomes[request === undefined ? 'refused' : 'read'] += 1
        if (request === undefined) return
        const { command, deviceIds, user } = readLeniently(request.query ?? '')
        assert.equal(command?.toLowerCase(), request.command.toLowerCase())
        assert.equal(user, request.userParameter)
        const spellings = deviceIds.map((id) => id.toLowerCase())
        assert(
          spellings.includes(String(request.deviceId).toLowerCase()),
          `${request.deviceId}: ${spellings.join()}`,
        )
      }),
      bounds,
    )
    t.ok(outcomes.read > 200 && outcomes.refused > 200, `${form}: ${JSON.stringify(outcomes)}`)
  }
})

void t.test('takes a good query of either form', async () => {
  for (const [form, query] of forms) {
    fc.assert(
      fc.property(query, (text) => {
        assert.equal(readOrRefused(posted(text))?.queryForm, form)
      }),
      bounds,
    )
  }
})

void t.test('refuses a base64 query that lost its last byte', async () => {
  fc.assert(
    fc.property(validBase64, (query) => {
      const cut = Buffer.from(query, 'base64').subarray(0, -1).toString('base64')
      assert.equal(readOrRefused(posted(cut)), undefined)
    }),
    bounds,
  )
})
