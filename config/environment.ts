/**
 * The shape of an environment file: one YAML file per deployment, strict, every problem reported at once.
 *
 * Choices are discriminated unions, so that an impossible combination cannot be written; what the shape cannot say,
 * `environment-schema.ts` adds. The settings of each thing are in `schema/`. Every default is there or here.
 */
import { z } from 'zod';
import { subnetProblem } from './docker/subnets';
import { bucketName, environmentName } from './names';
import { bucket } from './schema/buckets';
import { tls } from './schema/certificates';
import { client } from './schema/clients';
import { engineHost, host, images, providerVersions } from './schema/docker';
import { kes } from './schema/kes';
import { keyStore } from './schema/key-store';
import { balancer, minio } from './schema/minio';
import { monitoring, notify, schedule } from './schema/runs';
import { absolutePath, address, named } from './schema/values';
import { vault } from './schema/vault';

const state = z.discriminatedUnion('backend', [
  z.strictObject({
    backend: z.literal('local'),
    directory: absolutePath
      .optional()
      .describe(
        'Folder of this environment’s state and secrets. Default: ~/.local/state/encrypted-backup-storage/<name>.',
      ),
  }),
  z.strictObject({
    backend: z.literal('s3').describe('Terraform state in an S3 bucket with lock files; secrets stay local.'),
    directory: absolutePath.optional(),
    bucket: named(bucketName),
    keyPrefix: z.string().default('encrypted-backup-storage'),
    region: z.string(),
    endpoint: z.url({ protocol: /^https$/, error: 'must be an https:// address' }).optional(),
  }),
]);

export const environmentShape = z.strictObject({
  name: named(environmentName).describe('Name of the deployment; containers, volumes and folders are named after it.'),
  hosts: z
    .array(host)
    .optional()
    .describe(
      'Three hosts or more, each with MinIO, KES and a balancer, and three or five of them with an embedded Vault ' +
        '(vault.hosts). Their order can never change. Default: one host, that of docker.host.',
    ),
  docker: z
    .strictObject({
      host: engineHost
        .optional()
        .describe(
          'Docker engine: unix:///path, ssh://[user@]host[:port] or tcp://host:port. Default: the one that the docker ' +
            'command would use: DOCKER_HOST, DOCKER_CONTEXT, the current context, or the local socket.',
        ),
      certPath: absolutePath
        .optional()
        .describe('Folder with ca.pem, cert.pem and key.pem, for a docker.host that begins with tcp://.'),
      publishAddress: address
        .default('127.0.0.1')
        .describe(
          'Address of the Docker host on which the S3 API is published; 0.0.0.0 and :: mean every one. Vault and KES ' +
            'have a setting of their own.',
        ),
      subnet: z
        .string()
        .superRefine((value, context) => {
          const problem = subnetProblem(value);
          if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
        })
        .optional()
        .describe(
          'IPv4 range of the Docker networks: the first half for MinIO and KES, the second for KES and an embedded ' +
            'Vault. Default: Docker chooses from its address pools.',
        ),
      processLimit: z
        .int()
        .min(256)
        .default(8192)
        .describe(
          'Processes and threads that the services may have, which all run as one user of the Docker host. Lower, where ' +
            'the engine is itself limited to fewer and may not raise that.',
        ),
      mtu: z
        .int()
        .min(576)
        .max(65535)
        .optional()
        .describe(
          'Largest packet of the networks, in bytes, for a host behind a VPN or tunnel. Default: that of Docker.',
        ),
    })
    .prefault({}),
  images: images.default({ source: 'build' }),
  providers: z
    .strictObject({ vault: providerVersions.vault.optional(), docker: providerVersions.docker.optional() })
    .default({})
    .describe(
      'Versions of the Terraform providers that the registry has. Default: the tested ones, see docs/architecture.md.',
    ),
  vault: vault
    .optional()
    .describe('Only with master keys in Vault. Default: then `mode: embedded`, else there is no Vault at all.'),
  keyStore: keyStore.prefault({ type: 'vault' }),
  kes: kes.prefault({}),
  minio: minio.prefault({}),
  balancer: balancer.optional().describe('The HAProxy of each of several hosts.'),
  buckets: z.array(bucket).default([]),
  clients: z
    .array(client)
    .default([])
    .describe(
      'Who uses the S3 API, each with an identity of its own. The deploy makes their credentials, and takes away those of ' +
        'a client that is no longer named: ./scripts/client. Default: none.',
    ),
  tls: tls.prefault({ mode: 'self-signed' }),
  trustedCAs: z
    .array(absolutePath)
    .default([])
    .describe('Files, or folders of files, with CA certificates, PEM, that MinIO, KES and the checks trust as well.'),
  state: state.default({ backend: 'local' }),
  requireDiskEncryption: z
    .boolean()
    .default(false)
    .describe(
      'true: the checks fail unless dm-crypt (LUKS) is beneath every drive, volume and folder of the deployment, and beneath ' +
        'swap. false: they say what is.',
    ),
  schedule: schedule.prefault({}),
  notify: notify
    .optional()
    .describe('Where messages about scheduled runs go. Default: none is sent; exit codes and the journal say it.'),
  monitoring: monitoring
    .optional()
    .describe(
      'Metrics of MinIO, KES and an embedded Vault for Prometheus, each with an identity that may read metrics and nothing ' +
        'else. Default: there is no such identity.',
    ),
  reports: z
    .strictObject({
      keep: z
        .int()
        .min(1)
        .default(20)
        .describe('Runs of all checks whose reports stay in reports/history, and go into each backup.'),
    })
    .optional()
    .describe(
      'Reports of the checks. Default: those of the last 20 runs stay. Signed records of all runs stay for ever.',
    ),
  allowDataLoss: z
    .string()
    .optional()
    .describe('The environment’s own name, to let `cdktf destroy` delete master keys and data.'),
});

/** What the shape makes of a file. */
export type WrittenEnvironment = z.infer<typeof environmentShape>;

type WrittenVaultKeyStore = Extract<WrittenEnvironment['keyStore'], { type: 'vault' }>;

/** One environment, every default filled in. */
export type Environment = Omit<WrittenEnvironment, 'vault' | 'keyStore'> & { readonly keyStore: KeyStoreSettings };

/** An environment with its master keys in Vault. */
export type VaultEnvironment = Environment & { readonly keyStore: VaultKeyStoreSettings };

/** An environment as its file writes it. */
export type EnvironmentInput = z.input<typeof environmentShape>;

export type VaultSettings = z.infer<typeof vault>;

export type EmbeddedVault = Extract<VaultSettings, { mode: 'embedded' }>;

/** What an embedded Vault is. */
export type VaultDistribution = EmbeddedVault['distribution'];

export type ExternalVault = Extract<VaultSettings, { mode: 'external' }>;

/** The file writes `vault` beside `keyStore`, but Vault takes part only where the master keys are in it. */
export type VaultKeyStoreSettings = Omit<WrittenVaultKeyStore, 'prefix'> & {
  readonly prefix: string;
  readonly vault: VaultSettings;
};

export type KeyStoreSettings = VaultKeyStoreSettings | Exclude<WrittenEnvironment['keyStore'], { type: 'vault' }>;

export type AwsKeyStoreSettings = Extract<KeyStoreSettings, { type: 'aws' }>;

export type FilesystemKeyStoreSettings = Extract<KeyStoreSettings, { type: 'filesystem' }>;

export type FilesSettings = Extract<Environment['tls'], { mode: 'files' }>;

export type AcmeSettings = Extract<Environment['tls'], { mode: 'acme' }>;

export type BucketSettings = Environment['buckets'][number];

/** A host of several, as the environment file has it. */
export type HostSettings = NonNullable<Environment['hosts']>[number];

export type ClientSettings = Environment['clients'][number];

/** The drives of a MinIO, as the environment file has them. */
export type DrivesSetting = Environment['minio']['drives'];

/** An environment as a file would write it, with every default: the other way round. */
export function writtenSettings({ keyStore, ...rest }: Environment): Record<string, unknown> {
  if (keyStore.type !== 'vault') return { ...rest, keyStore };
  const { vault, ...written } = keyStore;
  return { ...rest, vault, keyStore: written };
}
