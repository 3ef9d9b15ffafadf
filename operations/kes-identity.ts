import { createHash, X509Certificate } from 'node:crypto';

/**
 * The identity by which KES knows a client: hex SHA-256 of the certificate's SubjectPublicKeyInfo. It depends on the
 * key alone and so survives a renewal. Source: minio/kes v0.24.0, cmd/kes/identity.go.
 */
export function kesIdentity(certificatePem: string): string {
  const { publicKey } = new X509Certificate(certificatePem);
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
