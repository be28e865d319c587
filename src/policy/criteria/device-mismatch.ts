import { platformFamily } from '#eas/client/platform.ts'
import { verdict, type Criterion } from '../criterion.ts'

/**
 * The client is of another family of systems than the enrolled device: somebody copied the id to another phone. Claims
 * that contradict each other contradict the record with one of them.
 */
export const deviceMismatch: Criterion = {
  name: 'device-mismatch',
  asked: 'judged',
  reads: ['platform'],
  judge: ({ request, facts, device }) => {
    const { client } = request
    if (device.platformOnRecord && device.platform === client.platform) return undefined
    const recorded = facts.device?.platform
    if (recorded === undefined) return undefined
    const family = platformFamily(recorded)
    if (family === 'unknown') return undefined
    const claimed = platformFamily(client.platform)
    if (!client.contradiction && (claimed === 'unknown' || claimed === family)) return undefined
    const said = client.contradiction ? 'two systems' : client.platform
    return verdict('block', 'device-mismatch', `the record says ${recorded}, the client says ${said}`)
  },
}
