import t, { type Test } from 'tap'
import type { FactsRecord } from '#directory/record.ts'
import { command, send } from '../support/eas-request.ts'
import { recordingUpstream } from '../support/recording-upstream.ts'
import { testProxy } from '../support/test-proxy.ts'

/** A device that a policy refuses, each in another way. */
interface Refused {
  readonly action: string
  readonly rules?: object
  readonly facts?: readonly FactsRecord[]
  /** Whom `User=` names. */
  readonly user?: string
}

const alice: FactsRecord = { user: 'alice@example.com', deviceId: 'PHONE1', enrolled: true }
const noncompliant = [{ ...alice, complianceState: 'noncompliant' }]
const refused: readonly Refused[] = [
  { action: 'block', facts: noncompliant },
  { action: 'quarantine', facts: noncompliant, rules: { noncompliant: 'quarantine' } },
  { action: 'redirect', facts: noncompliant, rules: { noncompliant: 'redirect' } },
  { action: 'block', facts: noncompliant, rules: { targetedGroups: [], defaultAccess: 'block' } },
  { action: 'block', facts: [{ ...alice, wipePending: true }] },
  { action: 'unavailable' },
  { action: 'reject', facts: [alice, { user: 'bob@example.com' }], user: 'bob' },
]

const commands = ['Sync', 'FolderSync', 'Provision', 'Settings', 'SendMail']

/** What the client gets for each command, and what reaches Exchange. */
async function ask(t: Test, { rules, facts, user = 'alice' }: Refused, mode: string) {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, {
    servers: [upstream.url],
    policy: { conditionalAccess: { onPremises: { ...rules, mode } } },
    ...(facts && { facts }),
  })
  const answers = []
  for (const name of commands) {
    const headers = ['MS-ASProtocolVersion: 16.1']
    const answer = await send(t, proxy, { query: command(name, 'PHONE1', user), headers })
    answers.push({
      status: answer.status,
      type: answer.header('content-type'),
      body: answer.body.toString('hex'),
    })
  }
  const forwarded = upstream.requests.map(({ method, url }) => `${method} ${url}`)
  return { answers, forwarded, outcomes: proxy.outcomes }
}

for (const tried of refused) {
  const what = `${tried.action}${tried.rules ? ` by ${JSON.stringify(tried.rules)}` : ''}`
  void t.test(`report-only never changes what the client gets: ${what}`, async (t) => {
    const reported = await ask(t, tried, 'report-only')
    // with nobody judged, no rule and an open default everything is forwarded
    const { rules: _none, facts: _unknown, ...unjudged } = tried
    const open = await ask(t, { ...unjudged, facts: [{ user: 'alice@example.com' }] }, 'off')
    t.strictSame(reported.answers, open.answers)
    t.strictSame(reported.forwarded, open.forwarded)
    t.strictSame(
      reported.outcomes.map(({ action, reportOnly }) => ({ action, reportOnly })),
      commands.map(() => ({ action: tried.action, reportOnly: true })),
      'and what enforce would have done is told',
    )
    const enforced = await ask(t, tried, 'enforce')
    t.notOk(
      enforced.forwarded.some((line) => line.includes('Cmd=Sync')),
      'which enforce does',
    )
  })
}
