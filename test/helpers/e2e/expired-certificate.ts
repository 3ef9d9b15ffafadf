/** Lets a certificate of the private CA expire: as it is on the last day of a deployment that nobody deployed again. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { certificateRenewalNote } from '../../../config/certificates/leaf-certificates';
import type { StateLayout } from '../../../config/state/layout';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 60 * 60 * 1000;

x509.cryptoProvider.set(webcrypto);

/**
 * Puts an expired certificate with the same names and key into the state folder, and a note that says since when it is
 * due.
 *
 * @returns the certificate, PEM
 */
export async function expire(state: StateLayout, leaf: string): Promise<string> {
  const file = path.join(state.tls, `${leaf}.crt`);
  const valid = new x509.X509Certificate(readFileSync(file, 'utf8'));
  const ca = new x509.X509Certificate(readFileSync(state.caCertificate, 'utf8'));
  const expired = await x509.X509CertificateGenerator.create({
    serialNumber: valid.serialNumber,
    subject: valid.subject,
    issuer: ca.subject,
    notBefore: new Date(Date.now() - 48 * HOUR_MS),
    notAfter: new Date(Date.now() - HOUR_MS),
    publicKey: valid.publicKey,
    signingKey: await caKey(state),
    signingAlgorithm: ALGORITHM,
    extensions: valid.extensions,
  });
  const pem = `${expired.toString('pem')}\n`;
  writeFileSync(file, pem);
  const noteFile = certificateRenewalNote(state.tls);
  const note = JSON.parse(readFileSync(noteFile, 'utf8')) as Record<string, unknown>;
  const due = new Date(Date.now() - 16 * HOUR_MS);
  writeFileSync(noteFile, JSON.stringify({ ...note, renewAfter: due.toISOString() }));
  return pem;
}

async function caKey(state: StateLayout): Promise<webcrypto.CryptoKey> {
  const pem = readFileSync(path.join(state.secret.tls, 'ca.key'), 'utf8');
  return webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), ALGORITHM, false, ['sign']);
}
