import { protocolVersion } from '#policy/criteria/protocol-version.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(protocolVersion)
