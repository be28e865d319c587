import { execFileSync } from 'node:child_process'
import { closeSync, constants, existsSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createLineWriter } from '#telemetry/line-writer.ts'

const fullDevice = '/dev/full'

/** Both ends of one pipe: what the pipe cannot take now is refused, as for the standard output of a service. */
function openPipe(t: Test): number {
  const path = join(t.testdir(), 'pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.teardown(() => closeSync(fd))
  return fd
}

/** What the pipe holds now, at most `length` bytes. */
function readPipe(fd: number, length = 65_536): string {
  const buffer = Buffer.alloc(length)
  try {
    return buffer.toString('utf8', 0, readSync(fd, buffer))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return ''
    throw error
  }
}

/** Reads until `lines` whole lines have come. */
async function readLines(fd: number, lines: number, length?: number): Promise<string[]> {
  let text = ''
  let seen = 0
  while (seen < lines) {
    const part = readPipe(fd, length)
    text += part
    seen += part.split('\n').length - 1
    await nextTurn()
  }
  return text.split('\n').slice(0, -1)
}

const line = (writer: string, number: number) =>
  `${JSON.stringify({ writer, number, text: 'ü'.repeat(number % 400) })}\n`

function isWhole(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

void t.test('a line is written within moments, without a call for it', async (t) => {
  const fd = openPipe(t)
  createLineWriter(fd, () => t.fail('nothing is lost')).write('one\n')
  t.strictSame(await readLines(fd, 1), ['one'])
})

void t.test('lines of two writers on one pipe stay whole, however slowly they are read (T-59)', async (t) => {
  const fd = openPipe(t)
  const count = 3000
  for (const name of ['a', 'b']) {
    const writer = createLineWriter(fd, () => t.fail('nothing is lost'))
    for (let number = 0; number < count; number++) writer.write(line(name, number))
  }
  const lines = await readLines(fd, 2 * count, 7000)
  t.strictSame(
    lines.filter((text) => !isWhole(text)),
    [],
  )
  t.equal(new Set(lines).size, 2 * count, 'each once')
})

void t.test('a reader that stops costs lines, not memory, and is told how many (T-51)', async (t) => {
  const fd = openPipe(t)
  const { promise, resolve } = Promise.withResolvers<number>()
  const writer = createLineWriter(fd, resolve)
  const megabyte = `${'x'.repeat(1_048_575)}\n`
  for (let number = 0; number < 20; number++) writer.write(megabyte)
  t.equal((await readLines(fd, 16)).length, 16)
  t.equal(await promise, 4)
})

void t.test('flush writes what waits before it returns', async (t) => {
  const fd = openPipe(t)
  const writer = createLineWriter(fd, () => undefined)
  for (let number = 0; number < 5; number++) writer.write(line('a', number))
  writer.flush()
  t.equal(readPipe(fd).split('\n').length - 1, 5)
})

void t.test('flush gives up on a reader that does not read, so that a process can end', async (t) => {
  const fd = openPipe(t)
  const writer = createLineWriter(fd, () => undefined)
  for (let number = 0; number < 5000; number++) writer.write(line('a', number))
  const start = performance.now()
  writer.flush()
  t.ok(performance.now() - start < 4000)
})

void t.test(
  'a full disk costs lines, not the process',
  { skip: existsSync(fullDevice) ? false : `no ${fullDevice}` },
  async (t) => {
    const fd = openSync(fullDevice, 'w')
    t.teardown(() => closeSync(fd))
    const writer = createLineWriter(fd, () => t.fail('there is nobody to be told'))
    for (let number = 0; number < 100; number++) writer.write(line('a', number))
    const start = performance.now()
    writer.flush()
    t.ok(performance.now() - start < 1000)
  },
)
