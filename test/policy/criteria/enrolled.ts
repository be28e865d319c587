import { enrolled } from '#policy/criteria/enrolled.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(enrolled)
