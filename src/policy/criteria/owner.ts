import { verdict, type Criterion } from '../criterion.ts'

const otherOwner = verdict('block', 'owner-mismatch', 'this device id is on record under another user')

/** Device ids are no secret: an id counts only together with its owner. T-14 */
export const owner: Criterion = {
  name: 'owner',
  asked: 'judged',
  reads: ['otherOwner'],
  judge: ({ facts }) => (facts.device === undefined && facts.otherOwner ? otherOwner : undefined),
}
