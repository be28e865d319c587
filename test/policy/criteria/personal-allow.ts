import { personalAllow } from '#policy/criteria/personal-allow.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(personalAllow)
