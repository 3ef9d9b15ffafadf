/** Where a backup goes: a file, or an object of an S3 storage other than the one that it is to save. */
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createHash, X509Certificate } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SERVERS } from '../../config/node';
import { reachableAddress, urlHost } from '../../config/docker/reachable';
import type { LoadedEnvironment } from '../state/load';
import { s3Names } from '../../config/minio/s3-endpoint';
import type { StateLayout } from '../../config/state/layout';
import { ExternalError, messageOf, UsageError } from '../lib/errors';
import { tooLarge } from './age/age-file';
import { MOST_BYTES } from './bundle/entries';
import { otherStorage } from '../minio/s3-client';
import { handshake } from '../lib/net/handshake';
import { socketAddress } from '../lib/net/socket-address';

/** An object of an S3 storage, reached with the usual `AWS_…` variables, profile or role. */
export interface S3Destination {
  readonly kind: 's3';
  readonly bucket: string;
  readonly key: string;
  /** @default - AWS itself */
  readonly endpoint?: string;
  readonly region?: string;
  /** CA certificates, PEM. @default - AWS_CA_BUNDLE, or the system's */
  readonly caFile?: string;
}
export type BackupPlace = S3Destination | { readonly kind: 'file'; readonly file: string };

/**
 * @param place a path, or `s3://bucket/key`
 * @throws UsageError for what is neither
 */
export function parsePlace(
  option: string,
  place: string,
  s3: {
    readonly endpoint?: string | undefined;
    readonly region?: string | undefined;
    readonly caFile?: string | undefined;
  } = {},
): BackupPlace {
  if (!place.includes('://')) {
    if (s3.endpoint !== undefined)
      throw new UsageError(`--endpoint goes with an s3:// place only, ${option} is ${place}`);
    return { kind: 'file', file: path.resolve(place) };
  }
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(.+)$/.exec(place);
  const [, bucket, key] = match ?? [];
  if (bucket === undefined || key === undefined || key.endsWith('/')) {
    throw new UsageError(`${option}: must be a path or s3://bucket/key, got: ${place}`);
  }
  if (s3.endpoint !== undefined && !s3.endpoint.startsWith('https://')) {
    throw new UsageError(`--endpoint: must be an https:// address, got: ${s3.endpoint}`);
  }
  return {
    kind: 's3',
    bucket,
    key,
    ...(s3.endpoint === undefined ? {} : { endpoint: s3.endpoint }),
    ...(s3.region === undefined ? {} : { region: s3.region }),
    ...(s3.caFile === undefined ? {} : { caFile: s3.caFile }),
  };
}

export function describePlace(place: BackupPlace): string {
  if (place.kind === 'file') return place.file;
  return `s3://${place.bucket}/${place.key}${place.endpoint === undefined ? '' : ` at ${place.endpoint}`}`;
}

/**
 * Refuses the storage that the backup is to save: it could be read only with the keys that are in it. By address, and by
 * the certificate that the endpoint serves, which also knows the deployment under other names and through forwarded ports.
 *
 * @throws UsageError; ExternalError where it cannot be told where the backup would go
 */
export async function requireOtherStorage(
  place: BackupPlace,
  { environment, state }: LoadedEnvironment,
): Promise<void> {
  if (place.kind === 'file') return;
  const endpoint = place.endpoint ?? (await usualEndpoint(place));
  const url = new URL(endpoint);
  const { host } = socketAddress(endpoint);
  const port = Number(url.port || (url.protocol === 'http:' ? 80 : 443));
  const { docker, minio } = environment;
  const addresses = [reachableAddress(docker.publishAddress), docker.publishAddress];
  const own = [
    'localhost',
    ...addresses.map((address) => socketAddress(`https://${urlHost(address)}`).host),
    ...s3Names(minio),
  ];
  const sameAddress = own.includes(host) && port === minio.port;
  if (!sameAddress && !(await servesOurCertificate(`https://${urlHost(host)}:${port}`, state))) return;
  throw new UsageError(
    `--to: must not be the storage that the backup is to save, got: ${describePlace({ ...place, endpoint })}`,
    'what is stored there can only be read with the keys that would be in the backup; choose a file, or another storage',
  );
}

/** Where the SDK sends what no --endpoint directs: AWS, or what AWS_ENDPOINT_URL… or the profile says. */
async function usualEndpoint(place: S3Destination): Promise<string> {
  let endpoint = '';
  await withClient(place, 'the target of the backup is unknown', async (s3) => {
    // it shows a request as it would be sent, and ends before it is
    s3.middlewareStack.add(
      () =>
        async ({ request }) => {
          const { protocol, hostname, port } = request as URL;
          const bare = hostname.startsWith(`${place.bucket}.`) ? hostname.slice(place.bucket.length + 1) : hostname;
          endpoint = `${protocol}//${bare}${port ? `:${port}` : ''}`;
          return Promise.resolve({ response: {}, output: { $metadata: {} } });
        },
      { step: 'build', priority: 'low' },
    );
    await s3.send(new GetObjectCommand({ Bucket: place.bucket, Key: place.key }));
  });
  return endpoint;
}

async function servesOurCertificate(url: string, state: StateLayout): Promise<boolean> {
  const file = path.join(state.tls, `${SERVERS.minio.certificate}.crt`);
  if (!existsSync(file)) return false;
  const ours = new X509Certificate(readFileSync(file)).fingerprint256;
  try {
    // whatever certificate clients are shown, who asks for this name gets the one of the private CA
    const shaken = await handshake({ url, caFile: state.caCertificate, serverName: SERVERS.minio.alias });
    return 'served' in shaken && shaken.served.certificate.fingerprint256 === ours;
  } catch {
    // no server answers: the upload will say what is wrong
    return false;
  }
}

/**
 * Refuses what exists already: an older backup may be the only good one.
 *
 * @throws UsageError
 */
export async function requireFree(place: BackupPlace): Promise<void> {
  const taken = place.kind === 'file' ? existsSync(place.file) : await objectExists(place);
  if (taken) throw alreadyThere(describePlace(place));
}

export function alreadyThere(place: string): UsageError {
  return new UsageError(
    `--to: ${place} exists already and is not overwritten`,
    'name another one, for example with the date in it',
  );
}

/** Uploads a bundle and proves that what is there is what was sent. */
export async function upload(file: string, place: S3Destination, sha256: string): Promise<void> {
  await withClient(place, 'the backup cannot be stored', async (s3) => {
    const { size } = await stat(file);
    const object = { Bucket: place.bucket, Key: place.key };
    const put = async (condition: { readonly IfNoneMatch?: '*' }) =>
      s3.send(new PutObjectCommand({ ...object, Body: createReadStream(file), ContentLength: size, ...condition }));
    try {
      // another run with the same name must not replace it
      await put({ IfNoneMatch: '*' });
    } catch (error) {
      if (!isNotImplemented(error)) throw error;
      // a storage that knows no conditional writes: what it has is looked at once more, as late as can be
      await requireFree(place);
      await put({});
    }
    const { Body } = await s3.send(new GetObjectCommand(object));
    const hash = createHash('sha256');
    for await (const chunk of bounded(Body as Readable, place, MOST_BYTES)) hash.update(chunk);
    const got = hash.digest('hex');
    if (got === sha256) return;
    throw new ExternalError(`${describePlace(place)} has SHA-256 ${got} when it is read back, expected ${sha256}`);
  });
}

/** Storages that know no conditional writes say so: `NotImplemented`, 501. */
function isNotImplemented(error: unknown): boolean {
  const { name, $metadata } = error as { readonly name?: string; readonly $metadata?: { httpStatusCode?: number } };
  return $metadata?.httpStatusCode === 501 || name === 'NotImplemented';
}

/** Fetches a bundle; of what is larger than any, or does not end, no more than that. */
export async function download(place: S3Destination, file: string, mostBytes = MOST_BYTES): Promise<void> {
  await withClient(place, 'the backup cannot be fetched', async (s3) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: place.bucket, Key: place.key }));
    await pipeline(bounded(Body as Readable, place, mostBytes), createWriteStream(file, { mode: 0o600 }));
  });
}

/** An answer as far as a bundle can be. */
async function* bounded(body: Readable, place: S3Destination, mostBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw tooLarge(describePlace(place), mostBytes);
    yield chunk;
  }
}

async function objectExists(place: S3Destination): Promise<boolean> {
  return withClient(place, 'whether a backup exists already is unknown', async (s3) => {
    try {
      // not HEAD: its answer has no body, and so cannot say whether key, bucket or credentials are wrong
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: place.bucket, Key: place.key }));
      (Body as Readable).destroy();
      return true;
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return false;
      throw error;
    }
  });
}

async function withClient<T>(place: S3Destination, problem: string, use: (s3: S3Client) => Promise<T>): Promise<T> {
  const region = await regionOf(place);
  // more bytes than a backup has, so that one that is too large is called that
  const s3 = otherStorage({ ...place, region }, describePlace(place), 2 * MOST_BYTES);
  try {
    return await use(s3);
  } catch (error) {
    if (error instanceof ExternalError || error instanceof UsageError) throw error;
    const { what, hint } = meaningOf(error as Error, place);
    throw new ExternalError(`${problem}: ${what}`, hint, { cause: error });
  } finally {
    s3.destroy();
  }
}

/** A storage of one's own seldom has regions, but a signature has to name one. */
async function regionOf({ region, endpoint }: S3Destination): Promise<string | undefined> {
  if (region !== undefined || endpoint === undefined) return region;
  const usual = new S3Client({});
  try {
    return await usual.config.region();
  } catch {
    return 'us-east-1';
  } finally {
    usual.destroy();
  }
}

/** What an S3 storage answered, by what can be done about it. */
function meaningOf(error: Error, place: S3Destination): { readonly what: string; readonly hint: string } {
  const storage = place.endpoint ?? 'AWS';
  switch (error.name) {
    case 'NoSuchBucket':
      return {
        what: `there is no bucket ${place.bucket} at ${storage}`,
        hint: 'create it first, or correct the name',
      };
    case 'InvalidAccessKeyId':
    case 'SignatureDoesNotMatch':
      return {
        what: `${storage} does not accept the credentials: ${error.name}`,
        hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to those of that storage',
      };
    default:
      return {
        what: `${describePlace(place)}: ${error.name}: ${messageOf(error)}`,
        hint: 'see whether the address is right and the AWS_… variables (AWS_CA_BUNDLE for a private CA) are those of that storage',
      };
  }
}
