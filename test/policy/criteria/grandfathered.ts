import { grandfathered } from '#policy/criteria/grandfathered.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(grandfathered)
