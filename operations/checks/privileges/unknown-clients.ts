/** Client certificates that are not registered: made in memory for one question, their keys forgotten at once. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { createPrivateKey, webcrypto } from 'node:crypto';
import type { ClientIdentity } from '../../lib/net/http';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const UNKNOWN_CLIENT = 'CN=an unknown client';
const HOUR_MS = 60 * 60 * 1000;

x509.cryptoProvider.set(webcrypto);

/** A client certificate that only vouches for itself. */
export async function selfSignedClient(): Promise<ClientIdentity> {
  const keys = await newKeys();
  return issue(keys, UNKNOWN_CLIENT, keys.privateKey);
}

/** A client certificate that the CA of an environment vouches for, with a key that is stored nowhere. */
export async function unknownClientOf(ca: ClientIdentity): Promise<ClientIdentity> {
  const der = createPrivateKey(ca.privateKey).export({ type: 'pkcs8', format: 'der' });
  const caKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
  return issue(await newKeys(), new x509.X509Certificate(ca.certificate).subject, caKey);
}

async function issue(keys: CryptoKeyPair, issuer: string, signingKey: CryptoKey): Promise<ClientIdentity> {
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: UNKNOWN_CLIENT,
    issuer,
    serialNumber: '01',
    notBefore: new Date(now - HOUR_MS),
    notAfter: new Date(now + HOUR_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      // of a certificate that may be a CA, KES would not even look at the key
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ],
  });
  const privateKey = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificate: certificate.toString('pem'),
    privateKey: x509.PemConverter.encode(privateKey, x509.PemConverter.PrivateKeyTag),
  };
}

async function newKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}
