import { catalogue, selectChecks } from '../../../operations/checks/catalogue';
import { UsageError } from '../../../operations/lib/errors';
import { thrownBy } from '../../helpers/thrown';

test('the ids are these, each once: pipelines select checks by them', () => {
  expect(catalogue.map(({ id }) => id)).toEqual([
    'services-running',
    'vault-unsealed',
    'drives-online',
    'kms-ready',
    'key-continuity',
    'vault-seal',
    'earlier-objects-open',
    'vault-key-mount',
    'vault-master-keys',
    'vault-policies',
    'vault-approle-role',
    'vault-audit-devices',
    'vault-audit-written',
    'kes-configuration',
    'containers-hardened',
    'minio-configuration',
    'certificates-valid',
    'provisioner-token-valid',
    'kes-secret-id-valid',
    'drive-space',
    'minio-audit-sent',
    'disk-encryption',
    'bucket-default-encryption',
    'sse-c-denied',
    'bucket-rules',
    'clients-declared',
    'clients-confined',
    'sse-s3-round-trip',
    'sse-kms-default-key-round-trip',
    'sse-kms-named-key-round-trip',
    'sse-kms-context-round-trip',
    'sse-c-round-trip',
    'auto-encryption',
    'bucket-default-sse-s3-round-trip',
    'bucket-default-sse-kms-round-trip',
    'range-read',
    'copy-between-modes',
    'versions',
    'presigned-urls',
    'listing',
    'ciphertext-on-disk',
    'configuration-on-disk',
    'objects-encrypted',
    'plain-http-refused',
    'untrusted-ca-refused',
    'old-tls-refused',
    'anonymous-read-refused',
    'altered-presigned-url-refused',
    'sse-c-key-required',
    'sse-c-plain-http-refused',
    'forged-writes-refused',
    'locked-versions-survive',
    'internal-headers-refused',
    'forwarded-headers-ignored',
    'kms-tls-only',
    'kes-clients-confined',
    'kes-strangers-refused',
    'vault-kes-token-confined',
    'vault-anonymous-refused',
    'vault-root-tokens',
    'metrics-readers-confined',
    'root-refused',
    'identities-declared',
    'unreadable-without-kes',
    'durable-after-kes-restart',
  ]);
});

test('every check says in whole sentences what it proves and what it does not', () => {
  for (const { id, title, proves, doesNotProve } of catalogue) {
    expect(id).toMatch(/^[a-z0-9]+(?:-[a-z0-9]+)*$/);
    for (const sentence of [proves, doesNotProve]) expect(sentence).toMatch(/^[A-Z].{20,}\.$/);
    expect(title).toMatch(/^[A-Z].{10,}[^.]$/);
  }
});

test('checks are selected in the order of the catalogue', () => {
  expect(selectChecks(['range-read', 'kms-ready', 'range-read']).map(({ id }) => id)).toEqual([
    'kms-ready',
    'range-read',
  ]);
});

test('an unknown id is refused with the known ones', () => {
  const error = thrownBy(() => selectChecks(['range-read', 'nope', 'neither']));
  if (!(error instanceof UsageError)) throw error;
  expect(error.message).toBe('there are no checks nope, neither');
  expect(error.hint).toMatch(
    /^the checks are services-running, vault-unsealed, drives-online, kms-ready, key-continuity, vault-seal, .*durable-after-kes-restart$/,
  );
});
