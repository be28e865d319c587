import { compliance } from '#policy/criteria/compliance.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(compliance)
testCriterion(compliance, 'compliance-policies')
