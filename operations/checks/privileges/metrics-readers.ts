/** What those who read metrics must be refused, and that they can read them. */
import { ListObjectsV2Command, PutObjectCommand, S3ServiceException } from '@aws-sdk/client-s3';
import { readFileSync } from 'node:fs';
import { METRICS_USER } from '../../../config/deployment-names';
import { metricsPolicy } from '../../../config/keys/key-store';
import { masterKeys } from '../../../config/keys/master-keys';
import { HttpClient, NoAnswer } from '../../lib/net/http';
import { readSecret } from '../../lib/secret';
import { MinioAdmin, RefusedByMinio } from '../../minio/minio-admin';
import { readCredentials, s3Client } from '../../minio/s3-client';
import { metricsFiles, type ScrapeJob, scrapeJobs } from '../../monitoring/targets';
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
    'Every scrape job gets an answer with its own identity. MinIO and Vault give no metrics without one; the Vaults of ' +
    'several hosts want a token and a certificate. The user of MinIO ' +
    'is refused objects, users and policies, the token of Vault keys, policies and other tokens.',
  doesNotProve: 'That Prometheus is up. kes-clients-confined tries what KES must refuse to its client.',
  severity: 'high',
  skipReason: ({ monitoring }) => (monitoring === undefined ? 'monitoring is not declared' : undefined),
  run: async (context) => {
    const { environment, state } = context.loaded;
    const scrapes = await tryScrapes(scrapeJobs(environment, metricsFiles(state)));
    const minio = await triedAtMinio(context);
    const vault = await triedAtVault(context);
    const problems = [
      ...scrapes.problems,
      ...Object.entries({ ...minio, ...vault })
        .filter(([, status]) => status !== 403)
        .map(([what, status]) => `${what} is answered with HTTP ${status}, not refused`),
    ];
    const evidence: Evidence = { ...scrapes.evidence, minio, vault };
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

/** A standby of several Vaults leads to the active one, whoever asks (hashicorp/vault, http/handler.go, respondStandby). */
const TO_THE_ACTIVE = 307;

/** Asks each target as Prometheus does, then without the token, then without the certificate. @throws if one is away */
export async function tryScrapes(
  jobs: readonly ScrapeJob[],
): Promise<{ readonly problems: readonly string[]; readonly evidence: Readonly<Record<string, Evidence>> }> {
  const problems: string[] = [];
  const read: Answers = {};
  const anonymous: Answers = {};
  const strangers: Record<string, number | string> = {};
  for (const job of jobs) {
    const hasStandbys = job.follow_redirects === false && job.static_configs.length > 1;
    const leads = (status: number): boolean => hasStandbys && status === TO_THE_ACTIVE;
    const statuses: number[] = [];
    for (const { targets, labels } of job.static_configs) {
      const path = `${labels.__metrics_path__ ?? job.metrics_path ?? '/metrics'}${queryOf(job)}`;
      const what = `GET ${path} of ${labels.node ?? ''}`;
      const url = `https://${targets[0] ?? ''}`;
      const status = await scrape(job, url, path);
      read[what] = status;
      statuses.push(status);
      if (status !== 200 && !leads(status)) problems.push(`${what} is answered with HTTP ${status}`);
      // KES knows its client by the certificate alone: kes-strangers-refused sees what it says without
      if (job.authorization === undefined) continue;
      const withoutToken = await scrape(job, url, path, { token: false });
      anonymous[what] = withoutToken;
      if (withoutToken !== 400 && withoutToken !== 403 && !leads(withoutToken)) {
        problems.push(`${what} without a token is answered with HTTP ${withoutToken}, not refused`);
      }
      if (job.tls_config.cert_file === undefined) continue;
      const stranger = await scrape(job, url, path, { certificate: false }).catch(codeOfRefusal);
      strangers[what] = stranger;
      if (typeof stranger === 'number') {
        problems.push(`${what} without a certificate is answered with HTTP ${stranger}, not refused`);
      }
    }
    if (statuses.every(leads)) problems.push(`no target of ${job.job_name} gives metrics: each leads to another`);
  }
  return { problems, evidence: { read, anonymous, strangers } };
}

function queryOf({ params }: ScrapeJob): string {
  return params === undefined ? '' : `?format=${params.format?.[0] ?? ''}`;
}

/** By default with all that Prometheus has. */
async function scrape(
  { authorization, tls_config: tls }: ScrapeJob,
  url: string,
  path: string,
  { token = true, certificate = true }: { readonly token?: boolean; readonly certificate?: boolean } = {},
): Promise<number> {
  const http = new HttpClient({
    url,
    caFile: tls.ca_file,
    serverName: tls.server_name,
    ...(certificate && tls.cert_file !== undefined && tls.key_file !== undefined
      ? { certificateFile: tls.cert_file, privateKeyFile: tls.key_file }
      : {}),
  });
  const headers =
    token && authorization !== undefined
      ? { authorization: `Bearer ${readFileSync(authorization.credentials_file, 'utf8').trim()}` }
      : {};
  try {
    return (await http.send({ method: 'GET', path, headers })).status;
  } finally {
    http.close();
  }
}

/** An alert of TLS, or a connection that the server closed. @throws the error, if it is another */
function codeOfRefusal(error: unknown): string {
  const code = error instanceof NoAnswer ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
  if (code !== undefined && (code.includes('_ALERT_') || code === 'ECONNRESET' || code === 'EPIPE')) return code;
  throw error;
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
