import { certificateIssue } from '../../config/leaf-certificates';
import { issueCertificates } from './issue-certificates';
import type { Step } from '../lib/step';
import { proveDeployedKeys } from '../keys/verify-master-keys';
import type { RotationContext } from '../state/rotation-context';

/** Other certificates for everybody, and other keys for the servers, by the same CA. */
export function rotateCertificates({ loaded, rotation, deploy }: RotationContext): Step[] {
  const { environment, state } = loaded;
  const input = certificateIssue(environment, state);
  return [
    rotation.phase('issue', {
      title: 'Certificates',
      run: async () => {
        await issueCertificates(input, new Date(), rotation.startedAt);
        return `${input.leaves.length} issued`;
      },
    }),
    rotation.phase('deliver', deploy('Have every program serve its new one')),
    rotation.phase('prove', { title: 'Master keys', run: () => proveDeployedKeys(environment, state) }),
  ];
}
