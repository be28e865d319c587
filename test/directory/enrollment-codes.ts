import t from 'tap'
import { testStore } from '../support/directory-store.ts'

void t.test('a code leads to its pair until it expires', async (t) => {
  const { store, clock } = testStore(t)
  store.setEnrollmentCode('pair', 'digest', clock.now + 1000)
  t.equal(store.pairOfEnrollmentCode('digest'), 'pair')
  t.equal(store.pairOfEnrollmentCode('other'), undefined)
  clock.now += 999
  t.equal(store.pairOfEnrollmentCode('digest'), 'pair')
  clock.now += 1
  t.equal(store.pairOfEnrollmentCode('digest'), undefined)
})

void t.test('a pair has one code: the last one', async (t) => {
  const { store, clock } = testStore(t)
  store.setEnrollmentCode('pair', 'first', clock.now + 1000)
  store.setEnrollmentCode('other', 'second', clock.now + 1000)
  store.setEnrollmentCode('pair', 'third', clock.now + 1000)
  t.equal(store.pairOfEnrollmentCode('first'), undefined)
  t.equal(store.pairOfEnrollmentCode('second'), 'other')
  t.equal(store.pairOfEnrollmentCode('third'), 'pair')
})

void t.test('expired codes go when the next one is made', async (t) => {
  const { store, clock } = testStore(t)
  const kept = () => store.check().rows['enrollment_codes']
  store.setEnrollmentCode('pair', 'digest', clock.now + 1000)
  store.setEnrollmentCode('other', 'later', clock.now + 2000)
  t.equal(kept(), 2)
  clock.now += 1000
  store.setEnrollmentCode('third', 'last', clock.now + 1000)
  t.equal(kept(), 2)
})
