import { verdict, type Criterion } from '../criterion.ts'

const noDevice = verdict('allow', 'not-targeted', 'the request names no device: judged by the user alone')

/** OPTIONS and Autodiscover carry no mail and no device, so nothing below can be asked of them. T-10 */
export const userAlone: Criterion = {
  name: 'user-alone',
  judge: ({ request }) => (request.deviceId === undefined ? noDevice : undefined),
}
