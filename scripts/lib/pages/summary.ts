/** What a person, or a program, needs to know after a deploy: one screen, or the same as JSON. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import type { Environment } from '../../../config/environment';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { s3CaFile } from '../../../config/state/endpoints';
import { s3Url } from '../../../config/minio/s3-endpoint';
import type { StateLayout } from '../../../config/state/layout';
import { reportFiles } from '../../../operations/checks/report/write';
import { isRefusalAnnounced, ROOT_ANNOUNCED } from '../../../operations/minio/provision-identities';
import { reachNotes } from '../../../operations/minio/reach-notes';
import { builtMc } from '../../../operations/toolchain/findings';
import { shellQuote } from '../../../operations/toolchain/terraform-settings';

export interface SummaryInput {
  readonly environment: Pick<Environment, 'name' | 'docker' | 'minio' | 'buckets' | 'clients' | 'tls' | 'trustedCAs'>;
  readonly state: StateLayout;
  /** By which commands name the environment. @default - its name */
  readonly argument?: string | undefined;
  /** The report of the post-deploy checks, where there is one. */
  readonly report?: string | undefined;
  /** The `mc` that was built here. */
  readonly mc?: string | undefined;
  /** What to know about how it is reached, see operations/minio/reach-notes.ts. */
  readonly notes?: readonly string[] | undefined;
  /** The user's home folder, which is written as `~`. */
  readonly home?: string | undefined;
}

/** Prints the summary of a deployment that is up. */
export async function showSummary({ environment, state, argument }: LoadedEnvironment, json: boolean): Promise<void> {
  const { html } = reportFiles(state.reports);
  const report = existsSync(html) ? html : undefined;
  const notes = [...(await reachNotes(environment)), ...riskNotes(environment), ...rootNotes(state)];
  const summary = { environment, state, argument, report, mc: builtMc(), notes, home: homedir() };
  process.stdout.write(json ? `${JSON.stringify(summaryJson(summary), null, 2)}\n` : summaryText(summary));
}

/** What the environment file accepts is not forgotten. */
function riskNotes({ minio }: Pick<Environment, 'minio'>): string[] {
  if (minio.acceptedRisks.length === 0) return [];
  return [
    `minio.acceptedRisks accepts that MinIO may let through ${minio.acceptedRisks.join(', ')}: the report says what it does`,
  ];
}

function rootNotes(state: StateLayout): string[] {
  return isRefusalAnnounced(state) ? [`${ROOT_ANNOUNCED}: docs/clients.md#root`] : [];
}

/** The same facts for a program. */
export interface SummaryJson {
  readonly environment: string;
  readonly s3: {
    readonly endpoint: string;
    readonly region: string;
    /** CA certificates to trust; null: those that every system trusts are enough. */
    readonly caFile: string | null;
    /** File with `accessKey` and `secretKey` of the root user; null: MinIO refuses it. */
    readonly credentialsFile: string | null;
    readonly buckets: readonly { readonly name: string; readonly encryption: string }[];
  };
  /** What to know about how it is reached, such as a name that does not resolve. */
  readonly notes: readonly string[];
  readonly stateFolder: string;
  readonly report: string | null;
}

export function summaryJson(input: SummaryInput): SummaryJson {
  const { environment, state } = input;
  return {
    environment: environment.name,
    s3: {
      endpoint: s3Url(environment),
      region: environment.minio.region,
      caFile: s3CaFile(environment, state) ?? null,
      credentialsFile: environment.minio.rootAccess === true ? state.secret.minioRoot : null,
      buckets: environment.buckets.map(({ name, encryption }) => ({
        name,
        encryption: encryption.type === 'sse-kms' ? `SSE-KMS with key ${encryption.key}` : 'SSE-S3',
      })),
    },
    notes: input.notes ?? [],
    stateFolder: state.root,
    report: input.report ?? null,
  };
}

export function summaryText(input: SummaryInput): string {
  const { s3, report, notes, stateFolder, environment } = summaryJson(input);
  const shown = (file: string): string => tilde(file, input.home);
  const buckets = s3.buckets.map(({ name, encryption }) => `${name} (${encryption})`).join(', ');
  return `
Encrypted backup storage "${environment}" is ready and proven.

  S3 endpoint   ${s3.endpoint}   (region ${s3.region})
  buckets       ${buckets === '' ? 'none yet' : buckets}
  CA file       ${s3.caFile === null ? 'none needed: publicly trusted' : shown(s3.caFile)}
  ${s3.credentialsFile === null ? `clients       ${clientNames(input)}` : `credentials   ${shown(input.state.secret.minioConfigEnv)}`}
  report        ${report === null ? `${shown(input.state.reports)} (no report yet)` : shown(report)}
  state         ${shown(stateFolder)}   (back it up: without it, nothing can be unsealed)
${notes.map((note) => `  note          ${note}\n`).join('')}
${s3.credentialsFile === null ? connectAsClient(input) : connectAsRoot(input)}`;
}

const clientNames = ({ environment: { clients } }: SummaryInput): string =>
  clients.length === 0 ? 'none yet: declare them in the environment file' : clients.map(({ name }) => name).join(', ');

function connectAsClient({ environment, argument = environment.name }: SummaryInput): string {
  const name = environment.clients[0]?.name ?? 'NAME';
  return `Connect as a client (this prints its secret key):
  ./scripts/client show ${name} ${argument} --for env    # or restic, rclone, aws, mc …: see ./scripts/client --help
`;
}

function connectAsRoot(input: SummaryInput): string {
  const { s3, environment } = summaryJson(input);
  const word = (file: string): string => quotedTilde(file, input.home);
  const bucket = s3.buckets[0]?.name ?? 'BUCKET';
  const mc = input.mc === undefined ? 'mc' : word(input.mc);
  const ca = (argument: string): string => (s3.caFile === null ? '' : argument);
  return `Connect (once per shell; the credentials are not shown):
  . ${word(input.state.secret.minioConfigEnv)}
  export AWS_ACCESS_KEY_ID="$MINIO_ROOT_USER" AWS_SECRET_ACCESS_KEY="$MINIO_ROOT_PASSWORD"
  export AWS_DEFAULT_REGION=${s3.region}${s3.caFile === null ? '' : ` CA=${word(s3.caFile)}`}

  aws      aws --endpoint-url ${s3.endpoint}${ca(' --ca-bundle "$CA"')} s3 cp FILE s3://${bucket}/
  mc       export MC_HOST_${mcAlias(environment)}="${s3.endpoint.replace('://', '://$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY@')}"
           ${ca('SSL_CERT_FILE="$CA" ')}${mc} cp FILE ${mcAlias(environment)}/${bucket}/
  rclone   ${rcloneLines(input.environment, s3.endpoint, ca)}
  restic   export RESTIC_REPOSITORY=s3:${s3.endpoint}/${bucket}/restic RESTIC_PASSWORD_FILE=FILE
           restic${ca(' --cacert "$CA"')} init   # once; then: backup FOLDER, snapshots, restore latest --target FOLDER
`;
}

/**
 * A line for each kind of bucket. rclone takes the ETag of an object for its MD5 unless it is told of SSE-KMS; told of it
 * without a key, it would have MinIO take the default one instead of that of the bucket.
 */
function rcloneLines(
  { minio, buckets }: Pick<Environment, 'minio' | 'buckets'>,
  endpoint: string,
  ca: (argument: string) => string,
): string {
  const kinds = [
    buckets.find(({ encryption }) => encryption.type === 'sse-s3'),
    buckets.find(({ encryption }) => encryption.type === 'sse-kms'),
  ].filter((bucket) => bucket !== undefined);
  const lines = kinds.map(({ name, encryption }) => {
    const kms =
      encryption.type === 'sse-s3' ? '' : `,server_side_encryption='aws:kms',sse_kms_key_id=${encryption.key}`;
    const remote = `:s3,provider=Minio,env_auth,region=${minio.region},endpoint='${endpoint}'${kms}`;
    return `rclone${ca(' --ca-cert "$CA"')} copy FILE "${remote}:${name}/"`;
  });
  return lines.join('\n           ');
}

/** Names of aliases become names of environment variables. */
function mcAlias(environment: string): string {
  return environment.replaceAll('-', '_');
}

function tilde(file: string, home: string | undefined): string {
  return home !== undefined && file.startsWith(`${home}/`) ? `~${file.slice(home.length)}` : file;
}

/** A path as one word of a shell; the tilde must stay outside of quotes. */
function quotedTilde(file: string, home: string | undefined): string {
  const short = tilde(file, home);
  if (/^[\w./~@:+-]+$/.test(short)) return short;
  return short.startsWith('~/') ? `~/${shellQuote(short.slice(2))}` : shellQuote(short);
}
