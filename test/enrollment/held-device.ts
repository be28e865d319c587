import t from 'tap'
import { platforms } from '#eas/client/platform.ts'
import { guidanceOf, modelName, stepsFor, systemName, type HeldDevice } from '#enrollment/held-device.ts'
import { loadPageTexts } from '#enrollment/texts.ts'
import { reasons } from '#policy/reasons.ts'

const held: HeldDevice = {
  reason: 'not-enrolled',
  model: 'iPhone 15',
  platform: 'iOS',
  osVersion: '17.5.1',
  wanting: [],
}
const { en: texts } = loadPageTexts()

void t.test('every reason has steps, on every platform', async (t) => {
  for (const reason of reasons) {
    for (const platform of platforms) {
      t.ok(stepsFor({ ...held, reason, platform }, texts).length > 0, `${reason} on ${platform}`)
    }
  }
})

void t.test('the steps are those of the system', async (t) => {
  const { enroll, comply } = texts.guidance
  t.equal(stepsFor(held, texts), enroll.iOS)
  t.equal(stepsFor({ ...held, platform: 'Android' }, texts), enroll.Android)
  t.equal(stepsFor({ ...held, platform: 'Windows', reason: 'noncompliant' }, texts), comply.Windows)
  t.equal(stepsFor({ ...held, platform: 'WindowsPhone' }, texts), enroll.other)
  t.equal(stepsFor({ ...held, reason: 'jailbroken' }, texts), texts.guidance.restore)
})

void t.test('who holds a stolen phone is not warned of a wipe', async (t) => {
  t.equal(guidanceOf('wipe-pending'), 'support')
})

void t.test('a device is named as its user knows it', async (t) => {
  const rows: readonly (readonly [
    fields: Partial<HeldDevice>,
    model: string | undefined,
    system: string | undefined,
  ])[] = [
    [{}, 'iPhone 15', 'iOS 17.5.1'],
    [{ model: 'iPhone15,4' }, 'iPhone', 'iOS 17.5.1'],
    [{ model: 'iPad13,16' }, 'iPad', 'iPadOS 17.5.1'],
    [{ model: 'iPad Air', osVersion: undefined }, 'iPad Air', 'iPadOS'],
    [{ model: 'SM-S901B', platform: 'Android', osVersion: '14' }, 'SM-S901B', 'Android 14'],
    [{ model: undefined, platform: 'WindowsPhone', osVersion: '8.1' }, undefined, 'Windows Phone 8.1'],
    [{ model: undefined, platform: 'unknown', osVersion: undefined }, undefined, undefined],
  ]
  for (const [fields, model, system] of rows) {
    const device = { ...held, ...fields }
    t.strictSame([modelName(device), systemName(device)], [model, system])
  }
})
