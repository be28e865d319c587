import { rollout } from '#policy/criteria/rollout.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(rollout)
