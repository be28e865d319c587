import * as fc from 'fast-check'
import t from 'tap'
import type { FactName, Situation } from '#policy/criterion.ts'
import { criteria } from '#policy/decide.ts'
import type { DeviceView } from '#policy/device-view.ts'
import type { Facts } from '#policy/facts.ts'
import { anyCase } from '../support/policy-cases.ts'
import { situationFor } from '../support/policy-rows.ts'

/** What a read of a key is called in explain; a key that is not here is no fact of its own. */
const factOfKey: Partial<Record<keyof Facts, FactName>> = {
  override: 'override',
  exclusiveAllows: 'override',
  history: 'history',
  otherDevices: 'otherDevices',
  otherOwner: 'otherOwner',
  userHasEnrolledDevice: 'userHasEnrolledDevice',
  unreadGroups: 'groups',
}
const factOfView: Record<keyof DeviceView, FactName> = {
  platform: 'platform',
  platformOnRecord: 'platform',
  osVersion: 'osVersion',
  model: 'model',
}

/** The same situation, which tells what is read of its facts. */
function watched(situation: Situation, tell: (fact: FactName) => void): Situation {
  const facts = watch(situation.facts, (key) => {
    const fact = factOfKey[key]
    if (fact !== undefined) tell(fact)
  })
  const { user, device } = situation.facts
  return watch(
    {
      ...situation,
      facts: Object.defineProperties(facts, {
        ...(user && { user: { value: watch(user, (key) => key === 'groups' && tell('groups')) } }),
        ...(device && { device: { value: watch(device, (key) => key !== 'origin' && tell(key)) } }),
      }),
      device: watch(situation.device, (key) => tell(factOfView[key])),
    },
    (key) => key === 'version' && tell('osVersion'),
  )
}

function watch<Value extends object>(value: Value, tell: (key: keyof Value) => unknown): Value {
  const copy = {}
  for (const key of Object.keys(value) as (keyof Value)[]) {
    let held = value[key]
    Object.defineProperty(copy, key, {
      configurable: true,
      enumerable: true,
      get: () => {
        tell(key)
        return held
      },
      set: (written: Value[typeof key]) => {
        held = written
      },
    })
  }
  return copy as Value
}

for (const criterion of criteria) {
  void t.test(`${criterion.name} reads the facts that it names, and no other`, async (t) => {
    const read = new Set<FactName>()
    for (const { request, facts, policy, now } of fc.sample(anyCase, { seed: 3, numRuns: 1500 })) {
      criterion.judge(watched(situationFor(request, facts, policy, now), (fact) => read.add(fact)))
    }
    t.strictSame([...read].toSorted(), [...criterion.reads].toSorted())
  })
}
