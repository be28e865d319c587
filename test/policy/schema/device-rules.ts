import { testFaults } from '../../support/policy-faults.ts'

testFaults('device-rules')
