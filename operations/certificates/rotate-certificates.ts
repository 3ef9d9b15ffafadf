import { certificateIssues } from '../../config/state/certificate-files';
import { issueCertificates } from './issue-certificates';
import type { Phase } from '../state/rotation';
import type { RotationContext } from '../state/rotation-context';

/** Other certificates for everybody, and other keys for the servers, by the same CAs. */
export function rotateCertificates({ loaded, rotation, deploy, prove }: RotationContext): Phase[] {
  const inputs = certificateIssues(loaded.environment, loaded.state);
  return [
    {
      id: 'issue',
      title: 'Certificates',
      run: async () => {
        for (const input of inputs) await issueCertificates(input, new Date(), rotation.startedAt);
        return `${inputs.flatMap(({ leaves }) => leaves).length} issued`;
      },
    },
    { id: 'deliver', ...deploy('Have every program serve its new one') },
    { id: 'prove', title: 'Master keys', run: prove },
  ];
}
