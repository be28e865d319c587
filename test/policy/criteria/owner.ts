import { owner } from '#policy/criteria/owner.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(owner)
