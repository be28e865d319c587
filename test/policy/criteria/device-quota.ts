import { deviceQuota } from '#policy/criteria/device-quota.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(deviceQuota)
