import { userAlone } from '#policy/criteria/user-alone.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(userAlone)
