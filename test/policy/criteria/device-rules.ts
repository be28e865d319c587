import { deviceRules } from '#policy/criteria/device-rules.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(deviceRules)
