import { readFileSync } from 'node:fs';
import { certificateIssues } from '../../config/state/certificate-files';
import type { LoadedEnvironment } from '../state/load';
import { pemCertificates } from './certificate-authority';
import { ExternalError, UsageError } from '../lib/errors';
import { forgetOtherCas, issueCertificates, issueNextCa, useNextCa } from './issue-certificates';
import { type Phase, Rotation } from '../state/rotation';
import type { AskedRotation, RotationContext } from '../state/rotation-context';

/** @param finish what `--finish` says */
export function askCaRotation(loaded: LoadedEnvironment, finish: boolean): AskedRotation {
  const { environment, argument, state } = loaded;
  // a rotation that is under way has changed what is asked for here
  if (Rotation.unfinished(state) === undefined) requireOverlap(loaded, finish);
  if (finish) return { what: 'ca --finish', phases: finishCa };
  const ended = `Two CAs of ${environment.name} are trusted. Give both to its clients (./scripts/ca ${argument}), then: ./scripts/rotate ca ${argument} --finish`;
  return { what: 'ca', phases: beginCa, ended };
}

/**
 * Begins to replace the private CA: both are trusted everywhere, the old one goes on issuing. Clients of the S3 API have
 * time to take the new one, until {@link finishCa}. With several hosts the CA of Vault's clients is replaced along with it.
 */
export function beginCa({ loaded, deploy, prove }: RotationContext): Phase[] {
  const { environment, state } = loaded;
  const inputs = certificateIssues(environment, state);
  return [
    {
      id: 'issue',
      title: 'New CA',
      run: async () => {
        for (const input of inputs) await issueNextCa(input);
        return state.caCertificate;
      },
    },
    { id: 'trust', ...deploy('Have every program trust both') },
    { id: 'prove', title: 'Master keys', run: prove },
  ];
}

/** Has the new CA issue every certificate, then drops the old one. Who trusts the old one alone is shut out from then. */
export function finishCa({ loaded, deploy, prove }: RotationContext): Phase[] {
  const { environment, state } = loaded;
  const inputs = certificateIssues(environment, state);
  return [
    {
      id: 'issue',
      title: 'Certificates of the new CA',
      run: async () => {
        for (const input of inputs) {
          useNextCa(input);
          await issueCertificates(input);
        }
        return `${inputs.flatMap(({ leaves }) => leaves).length} issued`;
      },
    },
    { id: 'deliver', ...deploy('Have every program serve its new one', { to: 'minio' }) },
    { id: 'prove', title: 'Master keys', run: prove },
    {
      id: 'forget',
      title: 'Drop the old CA',
      run: async () => {
        for (const input of inputs) await forgetOtherCas(input);
        if (trustedCas(loaded) === 1) return state.caCertificate;
        throw new ExternalError(`${state.caCertificate} holds more than the CA that issues`);
      },
    },
    { id: 'deliver-forgetting', ...deploy('Have every program trust the new one alone') },
    { id: 'prove-forgetting', title: 'Master keys', run: prove },
  ];
}

/** @throws UsageError unless the overlap can begin, or has begun */
function requireOverlap(loaded: LoadedEnvironment, finish: boolean): void {
  const overlaps = trustedCas(loaded) > 1;
  if (overlaps && !finish) {
    throw new UsageError(
      `ca: two CAs are trusted already (${loaded.state.caCertificate})`,
      `give both to the clients (./scripts/ca ${loaded.argument}), then end it by: ./scripts/rotate ca ${loaded.argument} --finish`,
    );
  }
  if (!overlaps && finish) {
    throw new UsageError('--finish: needs two trusted CAs, and there is one', 'begin with: ./scripts/rotate ca');
  }
}

function trustedCas({ state }: LoadedEnvironment): number {
  return pemCertificates(readFileSync(state.caCertificate, 'utf8')).length;
}
