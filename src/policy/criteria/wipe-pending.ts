import { verdict, type Criterion } from '../criterion.ts'

const wipe = verdict('block', 'wipe-pending', 'a wipe of this device is pending')

/**
 * A device that is to be wiped gets no more mail, whoever its user is; its Provision still reaches Exchange, which
 * orders the wipe.
 */
export const wipePending: Criterion = {
  name: 'wipe-pending',
  asked: 'always',
  reads: ['wipePending'],
  judge: ({ facts }) => (facts.device?.wipePending === true ? wipe : undefined),
}
