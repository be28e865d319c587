import t from 'tap'
import { enrolledByAgent, registeredByState } from '#policy/graph-states.ts'
import rows from '../fixtures/policy/graph-states.json' with { type: 'json' }

void t.test('every managementAgent of Graph says whether it manages; eas alone does not', async (t) => {
  for (const { word, enrolled } of rows.managementAgents) {
    t.equal(enrolledByAgent(word), enrolled ?? undefined, word)
  }
})

void t.test('only registered is a registration', async (t) => {
  for (const { word, registered } of rows.deviceRegistrationStates) {
    t.equal(registeredByState(word), registered ?? undefined, word)
  }
})
