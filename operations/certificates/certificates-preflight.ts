/** Looks at the certificates that an environment names, before anything is deployed with them. */
import { accessSync, constants } from 'node:fs';
import type { AcmeSettings } from '../../config/environment';
import type { LoadedEnvironment } from '../state/load';
import { certificateImport, certificateOrder } from '../../config/state/certificate-files';
import { UsageError } from '../lib/errors';
import { requireUsableCertificates } from './import-certificates';
import { readCaFile, readRoots, readTrustedCAs } from './trusted-roots';

/**
 * What was found, for a person.
 *
 * @param now for tests
 * @throws UsageError that names every file that cannot be used, with the rule, what it holds and what to do
 */
export async function requireUsableTls(
  { environment, state }: Pick<LoadedEnvironment, 'environment' | 'state'>,
  now = new Date(),
): Promise<string> {
  const { tls, trustedCAs } = environment;
  const trusted = readTrustedCAs(trustedCAs, now).length;
  const findings = trustedCAs.length === 0 ? [] : [`${trusted} trusted ${trusted === 1 ? 'CA' : 'CAs'}`];
  if (tls.mode === 'files') {
    for (const { names, notAfter } of requireUsableCertificates(certificateImport(environment, tls, state), now)) {
      findings.push(`${names.join(' ')} until ${notAfter.toISOString().slice(0, 10)}`);
    }
  } else if (tls.mode === 'acme') {
    requireUsableAcmeFiles(tls, now);
    // loading the client takes longer than most preflights run
    const { requireDirectoryIfDue } = await import('./order-certificates.js');
    const due = await requireDirectoryIfDue(certificateOrder(environment, tls, state), now);
    findings.push(due ? `to be ordered from ${new URL(tls.directory).host}` : 'none is due');
  }
  return findings.join(', ');
}

function requireUsableAcmeFiles({ ca, directoryCaFile, eab, challenge }: AcmeSettings, now: Date): void {
  if (ca !== undefined) readRoots(ca, now);
  if (directoryCaFile !== undefined) readCaFile('tls.directoryCaFile', directoryCaFile, now);
  if (eab !== undefined) {
    requireAccess('tls.eab.hmacKeyFile', eab.hmacKeyFile, constants.R_OK, {
      rule: 'must be a file that can be read',
      hint: 'correct the path or its permissions; once there is an account, tls.eab can be removed',
    });
  }
  if (challenge.type === 'dns-01') {
    requireAccess('tls.challenge.hook', challenge.hook, constants.X_OK, {
      rule: 'must be a program that can be run',
      hint: 'correct the path, or run chmod +x',
    });
  }
}

function requireAccess(
  property: string,
  file: string,
  mode: number,
  { rule, hint }: { readonly rule: string; readonly hint: string },
): void {
  try {
    accessSync(file, mode);
  } catch (error) {
    throw new UsageError(
      `${property} (${file}): ${rule}, got: ${(error as NodeJS.ErrnoException).code ?? 'no access'}`,
      hint,
    );
  }
}
