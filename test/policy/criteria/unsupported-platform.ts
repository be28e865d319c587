import { unsupportedPlatform } from '#policy/criteria/unsupported-platform.ts'
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(unsupportedPlatform)
