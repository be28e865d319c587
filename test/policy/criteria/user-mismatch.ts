import { userMismatch } from '#policy/criteria/user-mismatch.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(userMismatch)
