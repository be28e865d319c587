import { wipePending } from '#policy/criteria/wipe-pending.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(wipePending)
