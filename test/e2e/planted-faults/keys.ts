import { GetBucketEncryptionCommand, PutBucketEncryptionCommand } from '@aws-sdk/client-s3';
import { z } from 'zod';
import type { Workbench } from '../../helpers/e2e/workbench';
import type { PlantedFault } from './planted-fault';
import { inVault } from '../../helpers/servers/vault';

/** A key as KES stores it in KV v2. */
const storedKey = z.object({ data: z.object({ data: z.record(z.string(), z.string()) }) });

interface KesFile {
  policy: Record<string, { allow: string[]; identities: string[] }>;
}

const WITHOUT_ARCHIVE_KEY = Object.fromEntries(
  [
    'earlier-objects-open',
    'sse-kms-named-key-round-trip',
    'bucket-default-sse-kms-round-trip',
    'copy-between-modes',
    'versions',
    'presigned-urls',
    'listing',
    'ciphertext-on-disk',
  ].map((id) => [id, 'one of its objects is under that key']),
);

export const keyFaults: readonly PlantedFault[] = [
  {
    name: 'KES does not say how it is, because nobody may ask',
    red: { 'kms-ready': { message: /^KES does not say how it is: .*not authorized/, fix: /docker logs ebs-.*-kes/ } },
    alsoRed: { 'kes-configuration': 'what nobody may is taken away in the configuration' },
    plant: async (bench) => {
      await bench.configureKes<KesFile>((configuration) => {
        const prover = configuration.policy['key-prover'];
        if (prover !== undefined) prover.allow = prover.allow.filter((route) => route !== '/v1/status');
        return configuration;
      });
    },
  },
  {
    name: 'MinIO has not loaded its storage',
    red: {
      'kms-ready': {
        message: /^MinIO says it is not ready: \/minio\/health\/cluster answered 503$/,
        fix: /docker logs ebs-.*-minio/,
      },
    },
    plant: async (bench) => {
      await bench.misbehave({
        onRequest: ({ path }) =>
          path === '/minio/health/cluster' ? { status: 503, headers: {}, body: Buffer.alloc(0) } : undefined,
      });
    },
  },
  {
    name: 'a master key was replaced by another one of the same name',
    red: {
      'key-continuity': {
        message: /^archive-key: is another key than the one that sealed its canary/,
        fix: /put the master keys and .*keys\.json back from the same backup/,
      },
      'earlier-objects-open': {
        message: /^sse-kms\/archive-key\/1024-[0-9a-f]+, written on \S+, does not open: /,
        fix: /restore data and master keys from the same backup/,
      },
    },
    plant: async (bench) => changeKey(bench, async (read) => read('backup-default')),
  },
  {
    name: 'a master key was damaged in Vault',
    red: {
      'key-continuity': {
        message:
          /^archive-key cannot be read from the key store, although Vault has it: .*failed to read key \(HTTP 502\)/,
        fix: /if it is damaged, take it away \(vault kv metadata delete -mount=\S+ \S+\), and a backup brings it back: \.\/scripts\/restore /,
      },
    },
    alsoRed: WITHOUT_ARCHIVE_KEY,
    plant: async (bench) => changeKey(bench, async (read) => (await read('archive-key')).slice(1)),
  },
  {
    name: 'a master key is missing',
    red: {
      'key-continuity': {
        message: /^archive-key: is not in the key store; what was written under it cannot be read$/,
        fix: /put the master keys and .*keys\.json back from the same backup/,
      },
      'vault-master-keys': { message: /^archive-key is not in Vault: /, fix: /undelete/ },
    },
    alsoRed: WITHOUT_ARCHIVE_KEY,
    plant: async (bench) => changeKey(bench, async () => Promise.resolve(undefined)),
  },
  {
    name: 'SSE-C is to be denied, and no policy of MinIO denies it',
    red: {
      'sse-c-denied': {
        message: /^the policy ebs-deny-sse-c does not exist$/,
        fix: /mc admin policy create ALIAS ebs-deny-sse-c FILE/,
      },
    },
    plant: async (bench) => {
      bench.declare((environment) => ({ ...environment, minio: { ...environment.minio, sseC: 'deny' } }));
      return Promise.resolve();
    },
  },
  {
    name: 'a bucket lost its default encryption',
    red: {
      'bucket-default-encryption': {
        message: /^bucket archive: default encryption is AES256, declared aws:kms under archive-key$/,
        fix: /set it back with mc, or change the environment file/,
      },
    },
    plant: async (bench) => {
      const s3 = bench.s3();
      const Bucket = 'archive';
      const { ServerSideEncryptionConfiguration } = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
      bench.mendBy(async () => s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration })));
      const weaker = { Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' as const } }] };
      await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: weaker }));
    },
  },
];

/** Stores another value for a master key, or none, and has KES forget the one that it has. */
async function changeKey(
  bench: Workbench,
  valueOf: (read: (key: string) => Promise<string>) => Promise<string | undefined>,
): Promise<void> {
  const root = await bench.vaultRoot();
  const { prefix } = inVault(bench.deployed.environment).keyStore;
  const read = async (key: string): Promise<string> => {
    const stored = storedKey.parse(await root.read(`kes/data/${prefix}/${key}`));
    return stored.data.data[key] ?? '';
  };
  // KES reads version 1 only, so what was there before must be gone with all its versions
  const replace = async (key: string, value: string | undefined): Promise<void> => {
    await root.probe('DELETE', `kes/metadata/${prefix}/${key}`);
    if (value !== undefined) await root.write(`kes/data/${prefix}/${key}`, { data: { [key]: value } });
    await bench.reloadKes();
  };
  const own = await read('archive-key');
  const other = await valueOf(read);
  bench.mendBy(async () => replace('archive-key', own));
  await replace('archive-key', other);
}
