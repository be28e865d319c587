import { isOlder } from '#eas/versions.ts'
import { verdict, type Criterion } from '../criterion.ts'

/** A backend serves no protocol below its own: Exchange Online none below 16.1 from March 2026. facts.md 9 */
export const protocolVersion: Criterion = {
  name: 'protocol-version',
  asked: 'admitted',
  reads: [],
  judge: ({ request }) => {
    const { protocolVersion: spoken, minProtocolVersion: oldest } = request
    if (spoken === undefined || !isOlder(spoken, oldest)) return undefined
    return verdict(
      'block',
      'protocol-too-old',
      `the client speaks ${spoken}, the backend serves ${oldest} and later`,
    )
  },
}
