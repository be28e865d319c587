import { targeted } from '#policy/criteria/targeted.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(targeted)
