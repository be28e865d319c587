import { blockedClient } from '#policy/criteria/blocked-client.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(blockedClient)
