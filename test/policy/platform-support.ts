import t from 'tap'
import { platforms } from '#eas/client/platform.ts'
import { platformSupport } from '#policy/platform-support.ts'

void t.test('says from which version on each platform of the matrix is supported (facts.md 9)', async (t) => {
  t.strictSame(Object.fromEntries(platformSupport), {
    iOS: { onPremises: [0], online: [7, 1], domainJoined: undefined },
    Android: { onPremises: [4, 0], online: [4, 0], domainJoined: undefined },
    Windows: { onPremises: [6, 2], online: [6, 3], domainJoined: [6, 1] },
    WindowsPhone: { onPremises: [8, 0], online: [8, 1], domainJoined: undefined },
  })
})

void t.test('names platforms by our words', async (t) => {
  for (const platform of platformSupport.keys()) t.ok(platforms.includes(platform), platform)
})
