import { openStore } from '#directory/store.ts'

/** A child process: writes facts to the store named by its argument and prints the number of each acknowledged write. */
const [, , path = ''] = process.argv
const store = openStore(path, { sourceOrder: ['file'], now: Date.now })
const fill = (source: string, from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({
    user: `user${from + index}@${source}`,
    deviceId: `Appl${from + index}`,
  }))

// a sweep and pushes at once, as in life
void store.replace('file', fill('file', 0, 100_000), { complete: true })
for (let number = 0; ; number++) {
  await store.upsert('api', fill('api', number, 1))
  process.stdout.write(`${number}\n`)
}
