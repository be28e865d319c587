import { factsAge } from '#policy/criteria/facts-age.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(factsAge)
