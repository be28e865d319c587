import t, { type Test } from 'tap'
import { createEnrollmentCodes, readCode, shownCode } from '#enrollment/codes.ts'
import { testStore } from '../support/directory-store.ts'
import { recordingLog } from '../support/test-upstreams.ts'

const key = Buffer.alloc(32, 1)
const address = '192.0.2.1'

function codesOf(t: Test) {
  const { store, clock, path } = testStore(t)
  const monotonic = { at: 0, now: () => monotonic.at }
  const { log, lines } = recordingLog()
  const codes = createEnrollmentCodes({ store, key, now: () => clock.now, clock: monotonic, log })
  const make = (pairId: string) => codes.make(pairId) ?? 'none'
  return { ...codes, make, store, path, clock, monotonic, lines }
}

void t.test('a code of ten characters leads to its pair for half an hour', async (t) => {
  const { make, enter, clock } = codesOf(t)
  const code = make('pair')
  t.match(code, /^[0-9A-HJKMNP-TV-Z]{10}$/)
  t.strictSame(enter(code, address), { kind: 'found', pairId: 'pair' })
  clock.now += 30 * 60_000 - 1
  t.strictSame(enter(code, address), { kind: 'found', pairId: 'pair' })
  clock.now += 1
  t.strictSame(enter(code, address), { kind: 'unknown' })
})

void t.test('a new one ends the one before it, of that pair alone', async (t) => {
  const { make, enter } = codesOf(t)
  const [first, other, second] = [make('pair'), make('other'), make('pair')]
  t.not(first, second)
  t.strictSame(enter(first, address), { kind: 'unknown' })
  t.strictSame(enter(other, address), { kind: 'found', pairId: 'other' })
  t.strictSame(enter(second, address), { kind: 'found', pairId: 'pair' })
})

void t.test('a restart forgets none, and the store holds none in clear', async (t) => {
  const { make, store, clock, lines } = codesOf(t)
  const code = make('pair')
  const digests: string[] = []
  const watched = {
    ...store,
    pairOfEnrollmentCode: (digest: string) => {
      digests.push(digest)
      return store.pairOfEnrollmentCode(digest)
    },
  }
  const { log } = recordingLog()
  const again = createEnrollmentCodes({ store: watched, key, now: () => clock.now, log })
  t.strictSame(again.enter(code, address), { kind: 'found', pairId: 'pair' })
  t.notOk(digests.join().includes(code))
  const { enter } = createEnrollmentCodes({ store, key: Buffer.alloc(32, 2), now: () => clock.now, log })
  t.strictSame(enter(code, address), { kind: 'unknown' }, 'digests are those of one key')
  t.strictSame(lines, [])
})

void t.test('an address has five tries a minute, good or not', async (t) => {
  const { make, enter, monotonic } = codesOf(t)
  const code = make('pair')
  for (let tries = 0; tries < 5; tries++) t.equal(enter('0000000000', address).kind, 'unknown')
  t.strictSame(enter(code, address), { kind: 'limited' })
  t.equal(enter(code, '192.0.2.2').kind, 'found')
  monotonic.at += 12_000
  t.equal(enter(code, address).kind, 'found')
})

void t.test('all addresses together have 300', async (t) => {
  const { enter } = codesOf(t)
  const kinds = Array.from({ length: 301 }, (_, index) =>
    enter('0000000000', `10.0.${index >> 8}.${index & 255}`),
  )
  t.equal(kinds.filter(({ kind }) => kind === 'unknown').length, 300)
  t.strictSame(kinds.at(-1), { kind: 'limited' })
})

void t.test('a store that fails gives no code and opens nothing', async (t) => {
  const { make, enter, store, lines } = codesOf(t)
  const code = make('pair')
  store.close()
  t.equal(make('pair'), 'none')
  t.strictSame(enter(code, address), { kind: 'unknown' })
  t.strictSame(
    lines.map(({ msg }) => msg),
    ['a code for an enrolment page cannot be stored', 'a code for an enrolment page cannot be looked up'],
  )
})

void t.test('a code is read as people write it', async (t) => {
  const written: readonly (readonly [text: string, code: string | undefined])[] = [
    ['7K3MX9QW2P', '7K3MX9QW2P'],
    ['7k3mx-9qw2p', '7K3MX9QW2P'],
    [' 7k3mx 9qw2p\n', '7K3MX9QW2P'],
    ['O0Il1-AAAAA', '00111AAAAA'],
    ['7K3MX9QW2', undefined],
    ['7K3MX9QW2P0', undefined],
    ['7K3MX9QW2U', undefined],
    ['7K3MX9QW2É', undefined],
    ['', undefined],
  ]
  for (const [text, code] of written) t.equal(readCode(text), code, JSON.stringify(text))
  t.equal(shownCode('7K3MX9QW2P'), '7K3MX-9QW2P')
  t.equal(readCode(shownCode('7K3MX9QW2P')), '7K3MX9QW2P')
})
