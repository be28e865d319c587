import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { demoUsers } from '#simulator/demo.ts'
import { createSimulator, type Simulator } from '#simulator/exchange.ts'
import { MailClient } from '../support/mail-client.ts'
import { freePort, startNode, writeConfig, type NodeProcess } from '../support/node-process.ts'
import type { PhoneOptions } from '../support/simulated-phone.ts'

const policy = 'conditionalAccess: { onPremises: { noncompliant: quarantine } }\n'
const user = 'alice@example.com'

/** One way to talk to Exchange, and one way to wait for it. */
interface Manner {
  readonly version: string
  readonly form: 'plain' | 'base64'
  readonly waits: 'ping' | 'hanging sync'
}

const manners: readonly Manner[] = [
  ...['2.5', '12.1', '14.0', '14.1', '16.0', '16.1'].flatMap((version) =>
    (['plain', 'base64'] as const)
      // the base64 query came with 12.1
      .filter((form) => form === 'plain' || Number(version) >= 12.1)
      .map((form) => ({ version, form, waits: 'ping' as const })),
  ),
  { version: '14.1', form: 'plain', waits: 'hanging sync' },
  { version: '16.1', form: 'base64', waits: 'hanging sync' },
]

/** A phone of alice's, with its story's name. */
interface Walker extends Manner {
  readonly name: string
  readonly client: MailClient
}

function walkerOf(url: string, manner: Manner): Walker {
  const { version, form, waits } = manner
  const deviceId = `Appl${version.replace('.', '')}${form}${waits.replace(' ', '')}`.toUpperCase()
  const options: PhoneOptions = { url, user, deviceId, version, form }
  return { ...manner, name: `${version} ${form} ${waits}`, client: new MailClient(options) }
}

/** Waits as its manner is, once; resolves with what it was told. */
function wait({ client, waits }: Walker): Promise<string | undefined> {
  return waits === 'ping' ? client.ping() : client.hang()
}

function recordsOf(walkers: readonly Walker[], complianceState: string) {
  return walkers.map(({ client }) => ({
    user,
    deviceId: client.phone.options.deviceId,
    enrolled: true,
    registered: true,
    complianceState,
  }))
}

async function push(t: Test, node: NodeProcess, walkers: readonly Walker[], state: string): Promise<void> {
  const { status } = await node.admin('POST', '/api/facts', recordsOf(walkers, state))
  t.equal(status, 200, `the facts are in force: ${state}`)
}

/** Resolves once so many requests wait, here or at Exchange: nothing tells of it but the metric. */
async function whenWaiting(node: NodeProcess, count: number): Promise<void> {
  while (!(await node.admin('GET', '/metrics')).text.includes(`easgate_parked_requests ${count}\n`));
}

async function counter(node: NodeProcess, name: string): Promise<number> {
  const line = new RegExp(`^${name} (\\d+)$`, 'm').exec((await node.admin('GET', '/metrics')).text)
  return Number(line?.[1])
}

/** What a client of all of Exchange has. */
function mailsAt(simulator: Simulator): string[] {
  const mailbox = simulator.mailbox('alice')
  return mailbox
    .folders()
    .flatMap(({ serverId, displayName }) =>
      mailbox.messages(serverId).map(({ subject }) => `${displayName}/${subject}`),
    )
    .toSorted()
}

const hold = 'Your mail is on hold for this device'

void t.test(
  'a phone that turns noncompliant finds out why, and has all its mail again once it is put right',
  async (t) => {
    const simulator = createSimulator({ users: demoUsers(Date.now()) })
    const { url: exchange } = await simulator.listen()
    t.teardown(() => simulator.close())
    for (let number = 0; number < 4; number++) {
      simulator.deliver('alice', { from: 'bob@example.com', subject: `Mail ${number}`, text: 'Hello.\r\n' })
    }
    const port = await freePort()
    const configFile = writeConfig(t, {
      policy,
      listen: `{ address: 127.0.0.1:${port} }`,
      backends: `{ simulator: { kind: simulator, servers: ["${exchange}"] } }`,
      // all of them turn at once here
      extra: 'workers: 2\nquarantine: { alarmShare: 100% }',
    })
    let node = await startNode(t, configFile)
    const walkers = manners.map((manner) => walkerOf(node.proxyUrl, manner))
    const good = walkerOf(node.proxyUrl, { version: '16.1', form: 'plain', waits: 'ping' })
    const goodClient = new MailClient({ ...good.client.phone.options, deviceId: 'ApplGOOD' })
    const stays: Walker = { ...good, name: 'the other phone', client: goodClient }
    const all = [...walkers, stays]
    const each = (act: (walker: Walker) => Promise<unknown>) => Promise.all(walkers.map(act))

    await push(t, node, all, 'compliant')
    await Promise.all(all.map(({ client }) => client.connect()))
    for (const { client, name } of all) {
      t.strictSame(client.mails(), mailsAt(simulator), `${name} has its mail`)
      t.equal(client.restarts, 0)
    }

    const revoked = walkers.map(wait)
    let stayed = 'waits'
    const waits = wait(stays).then(
      (status) => (stayed = `told ${status}`),
      () => (stayed = 'cut off'),
    )
    await whenWaiting(node, all.length)
    await push(t, node, walkers, 'noncompliant')
    for (const [index, told] of (await Promise.all(revoked)).entries()) {
      const { name, waits: how } = walkers[index] ?? stays
      t.equal(told, how === 'ping' ? '7' : 'empty', `${name} is not left waiting`)
    }
    t.equal(await counter(node, 'easgate_revocations_total'), walkers.length)
    t.equal(stayed, 'waits', 'another phone of the same user waits on')

    const before = simulator.requests.length
    await each(({ client }) => client.connect())
    for (const { client, name } of walkers) {
      t.strictSame(client.mails(), [`Inbox/${hold}`], `${name} has one message, and none of its mail`)
      const item = [...client.inbox.items.values()][0]
      t.match(item, {
        from: /Mail access/,
        text: /^http:\/\/127\.0\.0\.1:\d+\/easgate\/enroll\/\S+\n/,
        read: false,
      })
      t.match(item?.text, /does not meet a rule/)
    }
    await each(({ client }) => client.markRead(hold))
    await each(({ client }) => client.sendMail('Where is my mail?'))
    for (const { client, name } of walkers) {
      t.strictSame(client.outbox, ['Where is my mail?'], `${name} keeps what it has to send`)
    }
    const reached = simulator.requests.slice(before).map(({ method, command }) => command ?? method)
    t.strictSame(
      reached.filter((what) => what !== 'OPTIONS' && what !== 'Provision'),
      [],
      'nothing of them reaches Exchange but the proof, and Provision, with which a wipe may come',
    )

    const restarts = walkers.map(({ client }) => client.restarts)
    const interrupted = walkers.map(({ client }) => client.ping())
    await whenWaiting(node, all.length)
    t.equal(await node.stop(), 0)
    t.strictSame([...new Set(await Promise.all(interrupted))], ['1'], 'a node that stops sends them off')
    await waits
    t.equal(stayed, 'cut off')
    node = await startNode(t, configFile)
    await each(({ client }) => client.connect())
    for (const [index, { client, name }] of walkers.entries()) {
      t.strictSame(client.mails(), [`Inbox/${hold}`], `to ${name} the restart is nothing`)
      t.equal(client.restarts, restarts[index], 'its keys are still good')
      t.ok([...client.inbox.items.values()][0]?.read)
    }

    const released = walkers.map(wait)
    await whenWaiting(node, walkers.length)
    simulator.deliver('alice', { from: 'carol@example.com', subject: 'Meanwhile', text: 'Hello.\r\n' })
    await push(t, node, walkers, 'compliant')
    for (const [index, told] of (await Promise.all(released)).entries()) {
      const { name, waits: how } = walkers[index] ?? stays
      t.equal(told, how === 'ping' ? '7' : '12', `${name} is told at once`)
    }
    t.equal(await counter(node, 'easgate_releases_total'), walkers.length)
    await stays.client.connect()
    for (const { client, name } of all) {
      t.strictSame(client.mails(), mailsAt(simulator), `${name} has all its mail, once`)
      t.ok(client.mails().includes('Inbox/Meanwhile'))
      t.strictSame(client.outbox, [], 'and what it had to send is sent')
    }
    t.equal(stays.client.restarts, 0, 'and the other phone never began again')
    const sent = simulator.mailbox('bob')
    t.equal(
      sent.messages(sent.folderOfType(2).serverId).filter(({ subject }) => subject === 'Where is my mail?')
        .length,
      walkers.length,
    )
    t.equal(await node.stop(), 0)
  },
)

void t.test(
  'where too many turn refused at once, those that have mail keep it until an operator means it',
  async (t) => {
    const configFile = writeConfig(t, { policy, extra: 'workers: 2' })
    const node = await startNode(t, configFile)
    const phones = Array.from({ length: 8 }, (_, number) => {
      const options: PhoneOptions = { url: node.proxyUrl, user, deviceId: `ApplMANY${number}` }
      const client = new MailClient(options)
      return { version: '14.1', form: 'plain', waits: 'ping', name: `phone ${number}`, client } as const
    })
    const [first, last] = [phones.slice(0, 6), phones.slice(6)]
    const held = async () =>
      ((await node.admin('GET', '/api/policy')).json() as { held: { kind: string; digest: string }[] }).held

    await push(t, node, phones, 'compliant')
    await Promise.all(phones.map(({ client }) => client.connect()))
    const mails = last[0]?.client.mails()
    await whenServed(node, phones)

    await push(t, node, first, 'noncompliant')
    await Promise.all(first.map(({ client }) => client.connect()))
    for (const { client, name } of first) t.strictSame(client.mails(), [`Inbox/${hold}`], name)
    const alarm = await node.logLine(({ kind }) => kind === 'quarantine')
    t.match(alarm, { level: 'error', newlyRefused: 6, maxNewRefusals: 5, inUse: 8 })

    await push(t, node, last, 'noncompliant')
    for (const { client, name } of last) {
      await t.rejects(client.connect(), { name: 'Refused', status: '129' }, `${name} is refused`)
      t.strictSame(client.mails(), mails, 'and keeps its mail')
    }
    const pair = `user=${user}&deviceId=ApplMANY7`
    t.match((await node.admin('GET', `/api/explain?${pair}`)).json(), {
      action: 'block',
      reason: 'noncompliant',
      rule: 'mass-refusal',
    })
    await Promise.all(first.map(({ client }) => client.connect()))
    for (const { client } of first) t.equal(client.restarts, 1, 'who has the message already keeps that')

    const [change] = await held()
    t.match(change, { kind: 'quarantine', name: 'mass-refusal' })
    const { status } = await node.admin('POST', '/api/policy/confirm', { digest: change?.digest })
    t.equal(status, 200)
    t.strictSame(await held(), [])
    for (const { client, name } of last) {
      await client.connect()
      t.strictSame(client.mails(), [`Inbox/${hold}`], `${name} is quarantined`)
    }
    t.equal(await node.stop(), 0)
  },
)

void t.test('texts that are read again on SIGHUP reach a phone that waits', async (t) => {
  const configFile = writeConfig(t, { policy, extra: 'quarantine: { textsFile: ${TEXTS} }' })
  const texts = join(dirname(configFile), 'texts.yaml')
  writeFileSync(configFile, readFileSync(configFile, 'utf8').replace('${TEXTS}', texts))
  writeFileSync(texts, 'subject: First words\n')
  const node = await startNode(t, configFile)
  const client = new MailClient({ url: node.proxyUrl, user: 'carol@example.com', deviceId: 'ApplDEMOCAROL1' })
  await client.connect()
  t.strictSame(client.mails(), ['Inbox/First words'])
  const told = client.ping()
  await whenWaiting(node, 1)
  writeFileSync(texts, 'subject: Other words\n')
  node.child.kill('SIGHUP')
  t.equal(await told, '2')
  t.strictSame(client.mails(), ['Inbox/Other words'], 'in the place of the first')
  t.equal(client.restarts, 0)
  t.equal(await node.stop(), 0)
})

/** Resolves once the store knows that they were served mail: workers tell it once a second. */
async function whenServed(node: NodeProcess, phones: readonly Walker[]): Promise<void> {
  for (const { client } of phones) {
    const path = `/api/devices/${user}/${client.phone.options.deviceId}`
    while (!(await node.admin('GET', path)).text.includes('"allowedAt"'));
  }
}
