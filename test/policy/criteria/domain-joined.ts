import { domainJoined } from '#policy/criteria/domain-joined.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(domainJoined)
