import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { otherIdentities } from '../../config/certificates/leaf-certificates';
import { readIfExists } from '../lib/files';

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

/**
 * The identities of clients by their names: of each its present one, and, while it is rotated, the one that it is to
 * have or had.
 *
 * @param folder holds `<client>.crt`
 */
export function kesIdentities(
  clients: readonly { readonly name: string }[],
  folder: string,
): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    clients.map(({ name }) => {
      const present = readFileSync(path.join(folder, `${name}.crt`), 'utf8');
      const others = otherIdentities(name).map((other) => readIfExists(path.join(folder, `${other}.crt`)));
      return [name, [...new Set([present, ...others.filter((text) => text !== undefined)].map(kesIdentity))]];
    }),
  );
}
