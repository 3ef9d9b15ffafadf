/** What those who read metrics must be refused, and that they can read them. */
import { ListObjectsV2Command, PutObjectCommand, S3ServiceException } from '@aws-sdk/client-s3';
import { readFileSync } from 'node:fs';
import { METRICS_USER } from '../../../config/deployment-names';
import { metricsPolicy } from '../../../config/keys/key-store';
import { masterKeys } from '../../../config/keys/master-keys';
import { HttpClient } from '../../lib/net/http';
import { readSecret } from '../../lib/secret';
import { MinioAdmin, RefusedByMinio } from '../../minio/minio-admin';
import { readCredentials, s3Client } from '../../minio/s3-client';
import { metricsFiles, scrapeJobs } from '../../monitoring/targets';
import { type CheckContext, CheckFailure, type Evidence, type FullCheck, hasVault } from '../check';
import { someOf } from '../drift/differences';
import { withVault } from '../health/vault';

/** What an identity was answered, by what it asked for. */
type Answers = Record<string, number>;

const metricsReadersConfined: FullCheck = {
  from: 'deployment',
  id: 'metrics-readers-confined',
  title: 'Whoever reads metrics can read them, and nothing else',
  proves:
    'Every scrape job gets an answer with its own identity. MinIO and Vault give no metrics without one. The user of MinIO ' +
    'is refused objects, users and policies, the token of Vault keys, policies and other tokens.',
  doesNotProve: 'That Prometheus is up. kes-clients-confined tries what KES must refuse to its client.',
  severity: 'high',
  skipReason: ({ monitoring }) => (monitoring === undefined ? 'monitoring is not declared' : undefined),
  run: async (context) => {
    const read = await scrapeAll(context);
    const anonymous = await scrapeAll(context, { anonymous: true });
    const minio = await triedAtMinio(context);
    const vault = await triedAtVault(context);
    const problems = [
      ...Object.entries(read)
        .filter(([, status]) => status !== 200)
        .map(([what, status]) => `${what} is answered with HTTP ${status}`),
      ...Object.entries(anonymous)
        .filter(([, status]) => status !== 400 && status !== 403)
        .map(([what, status]) => `${what} without an identity is answered with HTTP ${status}, not refused`),
      ...Object.entries({ ...minio, ...vault })
        .filter(([, status]) => status !== 403)
        .map(([what, status]) => `${what} is answered with HTTP ${status}, not refused`),
    ];
    const evidence: Evidence = { read, anonymous, minio, vault };
    if (problems.length === 0) return evidence;
    throw new CheckFailure(
      someOf(problems),
      `./scripts/up ${context.loaded.argument} makes user, token and policies again: remove ${context.loaded.state.minioMetricsNote} before; of another policy of ${METRICS_USER}: mc admin policy detach`,
      evidence,
    );
  },
};

/** In the order in which they are reported. */
export const metricsReaderChecks: readonly FullCheck[] = [metricsReadersConfined];

/** Asks as Prometheus does. KES refuses a connection without a certificate: kes-strangers-refused sees that. */
async function scrapeAll(
  { loaded: { environment, state } }: CheckContext,
  { anonymous = false }: { readonly anonymous?: boolean } = {},
): Promise<Answers> {
  const answers: Answers = {};
  for (const job of scrapeJobs(environment, metricsFiles(state))) {
    const {
      ca_file: caFile,
      server_name: serverName,
      cert_file: certificateFile,
      key_file: privateKeyFile,
    } = job.tls_config;
    if (anonymous && certificateFile !== undefined) continue;
    for (const { targets, labels } of job.static_configs) {
      const http = new HttpClient({
        url: `https://${targets[0] ?? ''}`,
        caFile,
        serverName,
        ...(certificateFile === undefined || privateKeyFile === undefined ? {} : { certificateFile, privateKeyFile }),
      });
      const query = job.params === undefined ? '' : `?format=${job.params.format?.[0] ?? ''}`;
      const path = `${labels.__metrics_path__ ?? job.metrics_path ?? '/metrics'}${query}`;
      const file = job.authorization?.credentials_file;
      const headers =
        anonymous || file === undefined ? {} : { authorization: `Bearer ${readFileSync(file, 'utf8').trim()}` };
      try {
        answers[`GET ${path}`] = (await http.send({ method: 'GET', path, headers })).status;
      } finally {
        http.close();
      }
    }
  }
  return answers;
}

async function triedAtMinio({ loaded: { environment, state }, s3Endpoint, bucket }: CheckContext): Promise<Answers> {
  const credentials = readCredentials(state.secret.minioMetricsUser);
  const { region } = environment.minio;
  const s3 = s3Client({ endpoint: s3Endpoint, region, credentials, attempts: 1 });
  const admin = new MinioAdmin(s3Endpoint, region, credentials);
  const tries: Readonly<Record<string, () => Promise<unknown>>> = {
    'listing a bucket': async () => s3.send(new ListObjectsV2Command({ Bucket: bucket })),
    'writing an object': async () => s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'metrics', Body: 'x' })),
    'looking at the drives': async () => admin.drives(),
    'reading a policy': async () => admin.policy(METRICS_USER),
    'exporting the users': async () => admin.exportIam(),
    'changing its own secret key': async () => admin.putUser(credentials, METRICS_USER),
  };
  const answers: Answers = {};
  try {
    for (const [what, attempt] of Object.entries(tries)) {
      answers[`${what} as ${METRICS_USER}`] = await attempt().then(() => 200, statusOfRefusal);
    }
    return answers;
  } finally {
    s3.destroy();
    admin.close();
  }
}

function statusOfRefusal(error: unknown): number {
  if (error instanceof RefusedByMinio) return error.status;
  if (error instanceof S3ServiceException) return error.$metadata.httpStatusCode ?? 0;
  throw error;
}

async function triedAtVault(context: CheckContext): Promise<Answers> {
  const { environment, state } = context.loaded;
  const token = readSecret(state.secret.vaultMetricsToken);
  if (!hasVault(context) || metricsPolicy(environment) === undefined || token === undefined) return {};
  const { mount, prefix, kvVersion } = context.loaded.environment.keyStore;
  const key = `${mount}/${kvVersion === 2 ? 'data/' : ''}${prefix}/${masterKeys(environment)[0] ?? ''}`;
  return withVault(context, async (vault) => {
    const reader = vault.withToken(token);
    try {
      const answers: Answers = {};
      for (const path of [key, 'sys/mounts', 'sys/policies/acl/default', 'sys/audit', 'auth/token/lookup-self']) {
        answers[`reading ${path} with the token of Vault’s metrics`] = await reader.probe('GET', path);
      }
      answers['making a token with the token of Vault’s metrics'] = await reader.probe('POST', 'auth/token/create', {});
      return answers;
    } finally {
      reader.close();
    }
  });
}
