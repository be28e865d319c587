import { verdict, type Criterion } from '../criterion.ts'

const noDevice = verdict('allow', 'not-targeted', 'the request names no device: judged by the user alone')

/** OPTIONS and Autodiscover carry no mail and no device, so nothing below can be asked of them. T-10 */
export const userAlone: Criterion = {
  name: 'user-alone',
  asked: 'always',
  reads: [],
  judge: ({ request, granted }) => {
    if (request.deviceId !== undefined) return undefined
    return granted === undefined ? noDevice : verdict('allow', granted.reason, granted.detail)
  },
}
