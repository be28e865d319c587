import { testFaults } from '../../support/policy-faults.ts'

testFaults('compliance-policies')
