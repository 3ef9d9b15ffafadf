/** What a program needs to know to use the S3 API as one client: its configuration as a text, ready to be used. */
import type { BucketSettings, ClientSettings } from '../../../config/environment';
import { s3Url } from '../../../config/minio/s3-endpoint';
import { nearest } from '../../../config/spelling';
import { s3CaFile } from '../../../config/state/endpoints';
import { clientFile } from '../../../config/state/layout';
import { UsageError } from '../../../operations/lib/errors';
import { type AccessKey, readAccessKeys } from '../../../operations/minio/clients/access-keys';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { shellQuote } from '../../../operations/toolchain/terraform-settings';

export interface ClientPlace {
  readonly client: string;
  readonly environment: string;
  readonly key: AccessKey;
  /** Address of the S3 API. */
  readonly url: string;
  readonly region: string;
  /** CA certificate on the machine of the client. Absent: every system trusts its authority. */
  readonly caFile?: string | undefined;
  readonly bucket: Pick<BucketSettings, 'name' | 'encryption'>;
  /** Beginning of the objects' names; may be empty. */
  readonly prefix: string;
}

/** The text for each program. It holds the secret key. */
export const CONFIGURATIONS = {
  env: (place: ClientPlace) => lines(...variables(place), ...exported('AWS_ENDPOINT_URL', place.url)),

  aws: (place: ClientPlace) =>
    lines(
      '# ~/.aws/config',
      `# aws --profile ${alias(place)} --endpoint-url ${place.url} s3 cp FILE s3://${location(place)}`,
      `[profile ${alias(place)}]`,
      `aws_access_key_id = ${place.key.accessKey}`,
      `aws_secret_access_key = ${secretOf(place)}`,
      `region = ${place.region}`,
      `endpoint_url = ${place.url}`,
      ...withCa(place, (file) => `ca_bundle = ${file}`),
      's3 =',
      '    addressing_style = path',
    ),

  boto3: (place: ClientPlace) =>
    lines(
      'import boto3',
      'from botocore.config import Config',
      '',
      's3 = boto3.client(',
      '    "s3",',
      `    endpoint_url=${text(place.url)},`,
      `    region_name=${text(place.region)},`,
      `    aws_access_key_id=${text(place.key.accessKey)},`,
      `    aws_secret_access_key=${text(secretOf(place))},`,
      ...withCa(place, (file) => `    verify=${text(file)},`),
      '    config=Config(s3={"addressing_style": "path"}),',
      ')',
      `# s3.upload_file("FILE", ${text(place.bucket.name)}, ${text(`${place.prefix}FILE`)})`,
    ),

  duplicity: (place: ClientPlace) =>
    lines(
      ...variables(place),
      `# duplicity --s3-endpoint-url ${place.url} --s3-region-name ${place.region} FOLDER boto3+s3://${location(place)}`,
    ),

  kopia: (place: ClientPlace) =>
    lines(
      ...variables(place),
      `# kopia repository create s3 --endpoint ${hostOf(place)} --bucket ${place.bucket.name}${place.prefix === '' ? '' : ` --prefix ${place.prefix}`} --region ${place.region}${place.caFile === undefined ? '' : ` --root-ca-pem-path ${shellWord(place.caFile)}`}`,
    ),

  mc: (place: ClientPlace) =>
    lines(
      ...exported(`MC_HOST_${alias(place)}`, place.url.replace('://', `://${place.key.accessKey}:${secretOf(place)}@`)),
      ...withCa(place, (file) => exported('SSL_CERT_FILE', file)[0] ?? ''),
      `# mc cp FILE ${alias(place)}/${location(place)}`,
    ),

  pgbackrest: (place: ClientPlace) =>
    lines(
      '[global]',
      'repo1-type=s3',
      `repo1-path=/${place.prefix.replace(/\/$/, '')}`,
      `repo1-s3-bucket=${place.bucket.name}`,
      // 2.45 compares names of the certificate, and no addresses
      `repo1-s3-endpoint=${new URL(place.url).hostname.replace(/^127\.0\.0\.1$/, 'localhost')}`,
      `repo1-storage-port=${portOf(place)}`,
      'repo1-s3-uri-style=path',
      `repo1-s3-region=${place.region}`,
      `repo1-s3-key=${place.key.accessKey}`,
      `repo1-s3-key-secret=${secretOf(place)}`,
      ...withCa(place, (file) => `repo1-storage-ca-file=${file}`),
    ),

  rclone: (place: ClientPlace) =>
    lines(
      '# ~/.config/rclone/rclone.conf',
      `# rclone${place.caFile === undefined ? '' : ` --ca-cert ${shellWord(place.caFile)}`} copy FOLDER ${alias(place)}:${location(place)}`,
      `[${alias(place)}]`,
      'type = s3',
      'provider = Minio',
      `access_key_id = ${place.key.accessKey}`,
      `secret_access_key = ${secretOf(place)}`,
      `region = ${place.region}`,
      `endpoint = ${place.url}`,
      // it would ask to make the bucket
      'no_check_bucket = true',
      ...(place.bucket.encryption.type === 'sse-kms'
        ? ['server_side_encryption = aws:kms', `sse_kms_key_id = ${place.bucket.encryption.key}`]
        : []),
    ),

  restic: (place: ClientPlace) =>
    lines(
      ...variables(place),
      ...exported('RESTIC_REPOSITORY', `s3:${place.url}/${location(place).replace(/\/$/, '')}`),
      // restic before 0.17 does not know RESTIC_CACERT
      `# export RESTIC_PASSWORD_FILE=FILE; ${restic(place)} init; ${restic(place)} backup FOLDER`,
    ),

  s3cmd: (place: ClientPlace) =>
    lines(
      '# ~/.s3cfg',
      `# s3cmd put FILE s3://${location(place)}`,
      '[default]',
      `access_key = ${place.key.accessKey}`,
      `secret_key = ${secretOf(place)}`,
      `host_base = ${hostOf(place)}`,
      `host_bucket = ${hostOf(place)}`,
      `bucket_location = ${place.region}`,
      'use_https = True',
      ...withCa(place, (file) => `ca_certs_file = ${file}`),
    ),

  s3fs: (place: ClientPlace) =>
    lines(
      ...variables(place),
      ...withCa(place, (file) => exported('CURL_CA_BUNDLE', file)[0] ?? ''),
      `# s3fs ${place.bucket.name}${place.prefix === '' ? '' : `:/${place.prefix.replace(/\/$/, '')}`} FOLDER -o url=${place.url} -o endpoint=${place.region} -o use_path_request_style`,
    ),

  velero: (place: ClientPlace) =>
    lines(
      '# credentials-velero, for `velero install --provider aws --secret-file`; not run by the tests of this project',
      '[default]',
      `aws_access_key_id = ${place.key.accessKey}`,
      `aws_secret_access_key = ${secretOf(place)}`,
      `# --bucket ${place.bucket.name}${place.prefix === '' ? '' : ` --prefix ${place.prefix.replace(/\/$/, '')}`}`,
      `# --backup-location-config region=${place.region},s3ForcePathStyle=true,s3Url=${place.url}`,
      ...withCa(place, (file) => `# --cacert ${shellWord(file)}`),
    ),
} as const satisfies Readonly<Record<string, (place: ClientPlace) => string>>;

export type ConfiguredProgram = keyof typeof CONFIGURATIONS;

export function isConfiguredProgram(name: string): name is ConfiguredProgram {
  return Object.hasOwn(CONFIGURATIONS, name);
}

function variables(place: ClientPlace): string[] {
  return [
    ...exported('AWS_ACCESS_KEY_ID', place.key.accessKey),
    ...exported('AWS_SECRET_ACCESS_KEY', secretOf(place)),
    ...exported('AWS_DEFAULT_REGION', place.region),
    ...withCa(place, (file) => exported('AWS_CA_BUNDLE', file)[0] ?? ''),
  ];
}

const exported = (name: string, value: string): string[] => [`export ${name}=${shellWord(value)}`];

const withCa = ({ caFile }: ClientPlace, line: (file: string) => string): string[] =>
  caFile === undefined ? [] : [line(caFile)];

const restic = ({ caFile }: ClientPlace): string =>
  caFile === undefined ? 'restic' : `restic --cacert ${shellWord(caFile)}`;

const secretOf = ({ key }: ClientPlace): string => key.secretKey.reveal();

/** How configurations call the client: a name that also fits into one of a variable. */
const alias = ({ client, environment }: ClientPlace): string => `${environment}_${client}`.replaceAll('-', '_');

const location = ({ bucket, prefix }: ClientPlace): string => `${bucket.name}/${prefix}`;

const hostOf = ({ url }: ClientPlace): string => new URL(url).host;

const portOf = ({ url }: ClientPlace): string => new URL(url).port || '443';

const shellWord = (value: string): string => (/^[\w./:@%+=-]+$/.test(value) ? value : shellQuote(value));

/** A string of Python. */
const text = (value: string): string => JSON.stringify(value);

const lines = (...all: readonly string[]): string => `${all.join('\n')}\n`;

/**
 * The configuration of a declared client for a program.
 *
 * @param options what `--for`, `--bucket` and `--ca-file` say
 * @throws UsageError for a program that is not known, a bucket that is not the client's, or a client without a key
 */
export function clientConfiguration(
  { environment, state, argument }: LoadedEnvironment,
  client: ClientSettings,
  options: { readonly for: string; readonly bucket: string | undefined; readonly caFile: string | undefined },
): string {
  if (!isConfiguredProgram(options.for)) {
    const meant = nearest(options.for, Object.keys(CONFIGURATIONS));
    throw new UsageError(
      `--for: must be one of ${Object.keys(CONFIGURATIONS).join(', ')}, got: ${options.for}`,
      meant === undefined ? 'env fits most programs' : `did you mean ${meant}?`,
    );
  }
  const access = client.access.find(({ bucket }) => options.bucket === undefined || bucket === options.bucket);
  const bucket = environment.buckets.find((declared) => declared.name === access?.bucket);
  if (access === undefined || bucket === undefined) {
    const own = client.access.map((one) => one.bucket).join(', ');
    throw new UsageError(`--bucket: must be one of ${own}, got: ${options.bucket ?? 'nothing'}`);
  }
  const keys = readAccessKeys(clientFile(state.secret.clients, client.name));
  if (keys === undefined) {
    throw new UsageError(`client ${client.name} has no access key yet`, `deploy it with: ./scripts/up ${argument}`);
  }
  return CONFIGURATIONS[options.for]({
    client: client.name,
    environment: environment.name,
    key: keys.current,
    url: s3Url(environment),
    region: environment.minio.region,
    caFile: options.caFile ?? s3CaFile(environment, state),
    bucket,
    prefix: access.prefix ?? '',
  });
}
