import { exclusiveAllow } from '#policy/criteria/exclusive-allow.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(exclusiveAllow)
