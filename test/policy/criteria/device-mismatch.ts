import { deviceMismatch } from '#policy/criteria/device-mismatch.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(deviceMismatch)
