import { testFaults } from '../../support/policy-faults.ts'

testFaults('access-rules')
