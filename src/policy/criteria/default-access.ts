import { verdict, type Criterion } from '../criterion.ts'

/**
 * The default rule: for who is not judged, and, where `overrideDefaultRule` is false, for the compliant too, which is
 * the vendor's documented trap. A device rule that allows goes before it. facts.md 1.2 steps 4 and 5, 6 step 9
 */
export const defaultAccess: Criterion = {
  name: 'default-access',
  asked: 'always',
  reads: [],
  judge: ({ rules, granted }) => {
    const { defaultAccess: access, overrideDefaultRule } = rules
    if (access === 'allow' || granted === undefined || granted.reason === 'device-rule') return undefined
    if (granted.grants === 'outside') return verdict(access, 'default-access', `defaultAccess is ${access}`)
    if (overrideDefaultRule) return undefined
    return verdict(access, 'default-access', 'defaultAccess refuses and overrideDefaultRule is false')
  },
}
