import { personalBlock } from '#policy/criteria/personal-block.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(personalBlock)
