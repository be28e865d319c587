import { defaultAccess } from '#policy/criteria/default-access.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(defaultAccess)
