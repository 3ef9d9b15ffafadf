import 'reflect-metadata';
import { cryptoProvider, X509CertificateGenerator, BasicConstraintsExtension } from '@peculiar/x509';
import { webcrypto } from 'node:crypto';

const DAY_MS = 24 * 60 * 60 * 1000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

cryptoProvider.set(webcrypto);

/** The certificate, PEM, of a CA that has issued nothing: made in memory, its key forgotten at once. */
export async function foreignCa(): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify']);
  const now = Date.now();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=a CA that issued nothing',
    serialNumber: '01',
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys: keys,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  return certificate.toString('pem');
}
