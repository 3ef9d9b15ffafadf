import { SERVERS } from '../../config/node';
import type { OperationInput } from '../../config/operation-inputs';
import { UsageError } from '../lib/errors';
import { writeFileAtomically } from '../lib/files';
import { isDue, noteRenewal } from './renewal';
import {
  type CertificateTexts,
  judgeCertificates,
  REMAINING_LIFE_MS,
  type Requirements,
  type ServerCertificate,
} from './server-certificate';
import { publicRoots, readNamedFile, readRoots, readTrustedCAs } from './trusted-roots';

type Input = OperationInput<'import-certificates'>;

/** Names of which the private CA issues the certificate. */
const INSIDE_NAMES = [SERVERS.minio.alias];

/**
 * Validates certificates and keys, and copies them: certificates for everybody to read, keys for their owner.
 *
 * @param now for tests
 * @throws UsageError with every problem, before anything is written
 */
export function importCertificates(input: Input, now = new Date()): Promise<void> {
  const made = input.certificates.flatMap(({ to }) => [to.certificate, to.privateKey]);
  const expected = isDue(input.renewalNote, now, made);
  const certificates = requireUsableCertificates(input, now);
  for (const [index, { to }] of input.certificates.entries()) {
    const certificate = certificates[index];
    if (certificate === undefined) throw new Error('every certificate was judged');
    // the key first: a chain without its key is noticed by the next run
    writeFileAtomically(to.privateKey, certificate.privateKey);
    writeFileAtomically(to.certificate, certificate.chain, 0o644);
  }
  const firstToExpire = Math.min(...certificates.map(({ notAfter }) => notAfter.getTime()));
  // then it runs again, and refuses
  noteRenewal(input.renewalNote, new Date(firstToExpire - REMAINING_LIFE_MS), now, {}, expected);
  return Promise.resolve();
}

/** @throws UsageError with every problem of the files that the environment names */
export function requireUsableCertificates(input: Input, now = new Date()): readonly ServerCertificate[] {
  const texts = input.certificates.map(({ from }, index): CertificateTexts => {
    const prefix = index === 0 ? 'tls' : `tls.additional[${index - 1}]`;
    return {
      certificate: readNamedFile(`${prefix}.certificate`, from.certificate),
      privateKey: readNamedFile(`${prefix}.privateKey`, from.privateKey),
    };
  });
  const { certificates, problems } = judgeCertificates(texts, requirementsOf(input, now));
  if (problems.length === 0) return certificates;
  throw new UsageError(
    [
      `the certificates of the S3 API cannot be used:`,
      ...problems.map((problem) => `  ${problem}.`),
      'nothing was changed',
    ].join('\n'),
  );
}

/** What certificates of the S3 API must fulfil, wherever they come from. */
export function requirementsOf(sources: Pick<Input, 'names' | 'ca' | 'trustedCAs'>, now: Date): Requirements {
  const { names, ca, trustedCAs } = sources;
  const common = { names, reserved: INSIDE_NAMES, now };
  if (ca !== undefined) return { ...common, roots: readRoots(ca, now), rootsAre: `a root of tls.ca (${ca})` };
  const trusted = readTrustedCAs(trustedCAs, now);
  return {
    ...common,
    roots: [...publicRoots(), ...trusted],
    rootsAre: trusted.length === 0 ? 'a publicly trusted root' : 'a publicly trusted root, or one of trustedCAs',
  };
}
