import { registered } from '#policy/criteria/registered.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(registered)
