import { verdict, type Criterion } from '../criterion.ts'

const mismatch = verdict('reject', 'user-mismatch', 'the credential and User= name two known people')

/** The credential is the truth; a parameter that names somebody else is no honest request. T-15 */
export const userMismatch: Criterion = {
  name: 'user-mismatch',
  asked: 'always',
  reads: [],
  judge: ({ request }) => (request.userMismatch ? mismatch : undefined),
}
