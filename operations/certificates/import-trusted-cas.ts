import { rootCertificates } from 'node:tls';
import type { OperationInput } from '../../config/operation-inputs';
import { writeFileAtomically } from '../lib/files';
import { pemBundle, readTrustedCAs } from './trusted-roots';

/** A file that is delivered must not be empty, and one that is not delivered would leave its predecessor in place. */
const HEADER = '# CA certificates that this environment trusts besides its own and the public ones\n';

/** Validates the `trustedCAs`, and puts them into one file for the programs and one for the clients. */
export function importTrustedCAs(input: OperationInput<'import-trusted-cas'>): Promise<void> {
  const trusted = pemBundle(readTrustedCAs(input.sources));
  writeFileAtomically(input.file, `${HEADER}${trusted}`, 0o644);
  writeFileAtomically(input.publicTrustFile, `${HEADER}${trusted}${rootCertificates.join('\n')}\n`, 0o644);
  return Promise.resolve();
}
