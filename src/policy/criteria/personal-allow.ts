import { lasting, verdict, type Criterion } from '../criterion.ts'

/**
 * Exchange's personal allow list: an administrator let this one device in, until a date, for a reason that stands
 * beside it. Nothing but a personal block, a wipe or a false name goes before it. facts.md 6 step 5
 */
export const personalAllow: Criterion = {
  name: 'personal-allow',
  asked: 'always',
  reads: ['override'],
  judge: ({ facts, now }) => {
    const { override } = facts
    if (override?.action !== 'allow' || !((override.until ?? Infinity) > now)) return undefined
    return lasting(
      verdict('allow', 'personal-allow', `allowed by an administrator: ${override.note}`),
      override.until,
    )
  },
}
