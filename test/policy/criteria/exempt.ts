import { exempt } from '#policy/criteria/exempt.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(exempt)
