import { verdict, type Criterion } from '../criterion.ts'
import { fitsOne } from '../match.ts'

/** Mail applications that the service does not take, as Outlook for iOS and Android on-premises. facts.md 9 */
export const blockedClient: Criterion = {
  name: 'blocked-client',
  asked: 'judged',
  reads: [],
  judge: ({ request, rules }) => {
    const { client } = request.client
    if (client === 'unknown' || !fitsOne(client.toLowerCase(), rules.blockedClients)) return undefined
    return verdict('block', 'client-not-allowed', `the mail application is ${client}`)
  },
}
