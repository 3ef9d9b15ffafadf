/**
 * The rehearsal: a copy of an environment is deployed, filled, backed up, destroyed as a disaster would, restored and
 * read. Only the copy is touched: it has a name, ports, volumes, keys and a state folder of its own.
 */
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { remoteMachine, resolveEngine } from '../../../config/docker/docker-engine';
import type { Environment, EnvironmentInput } from '../../../config/environment';
import { CHECKED_ROWS } from '../../../config/guard-rules';
import { embeddedVault } from '../../../config/vault/vault';
import { minioKeys } from '../../../config/keys/master-keys';
import type { LoadedEnvironment } from '../../state/load';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { ExternalError, messageOf, UsageError } from '../../lib/errors';
import { readIfExists } from '../../lib/files';
import { freePorts } from '../../lib/net/free-ports';
import { type LockHolder, lockHolder } from '../../lib/lock';
import { bytesOf, openS3 } from '../../minio/s3-client';

const KIB = 1024;

/** Around every border: empty, inline in the metadata, in a file of its own, several DARE packages. */
const SIZES = [0, 1, 4 * KIB, 128 * KIB, 128 * KIB + 1, 1024 * KIB] as const;

const BUCKET = 'ebs-drill';

/** Longest name of an environment, see config/names.ts. */
const LONGEST_NAME = 32;
const SUFFIX = '-drill';

/** Name of the copy's environment file in the folder of a drill. */
export const DRILL_ENVIRONMENT = 'environment.yaml';

/**
 * The environment file of the copy. It is on one host, also of an environment with several.
 *
 * @param host the one of several on which the copy is made. Default: the machine of this command
 * @throws UsageError if there is no such host
 */
export async function copyOf(original: Environment, directory: string, host?: string): Promise<string> {
  const [vault, kes, minio] = await freePorts(3);
  const { images, providers, buckets, keyStore } = original;
  const { docker, at } = placeOf(original, host);
  const { nodePort: _, ...minioSettings } = original.minio;
  const name = `${original.name.slice(0, LONGEST_NAME - SUFFIX.length).replace(/-+$/, '')}${SUFFIX}`;
  const text = stringify({
    name,
    docker: { ...docker, publishAddress: at.minio },
    images,
    providers,
    // an external Vault, or a cloud, is not ours to rehearse in: its keys are not the copy's
    vault: { mode: 'embedded', port: vault, publishAddress: at.vault },
    keyStore: { type: 'vault', ...(keyStore.type === 'vault' ? { kvVersion: keyStore.kvVersion } : {}) },
    kes: { ...original.kes, port: kes, publishAddress: at.kes },
    // clients of the original are to find no copy by its names
    // and no copy is on the disks of the original
    minio: { ...minioSettings, port: minio, hostnames: [], domain: undefined, ...drivesOf(original) },
    buckets: buckets.map((bucket) => ({ ...bucket, objectLock: false })),
    state: { backend: 'local', directory },
  });
  parseEnvironment(text, 'the environment file of the drill');
  return text;
}

/** As many drives, but of several hosts one: how objects are spread over hosts is not what is rehearsed. */
function drivesOf({ hosts, minio: { drives } }: Environment): Partial<EnvironmentInput['minio']> {
  if (hosts !== undefined) return { drives: 1, parity: undefined };
  return { drives: typeof drives === 'number' ? drives : drives.length };
}

/** Images by their programs. */
export type CopyImages = Readonly<Record<'vault' | 'kes' | 'minio', string>>;

/**
 * The environment file of a copy with other images. What such a MinIO lets through is not what is rehearsed.
 *
 * @param copy text of the file
 */
export function copyWithImages(copy: string, images: CopyImages): string {
  const { images: declared } = parseEnvironment(copy, 'the environment file of the drill');
  const settings = z.record(z.string(), z.unknown()).parse(parse(copy));
  const text = stringify({
    ...settings,
    images: { ...(declared.source === 'registry' ? declared : { source: 'registry' }), ...images },
    minio: { ...z.record(z.string(), z.unknown()).parse(settings.minio), acceptedRisks: [...CHECKED_ROWS] },
  });
  parseEnvironment(text, 'the environment file of the drill');
  return text;
}

interface Place {
  readonly docker: EnvironmentInput['docker'];
  /** Addresses on which it is published. */
  readonly at: { readonly minio: string; readonly kes: string; readonly vault: string };
}

/** The copy is for this machine alone, which reaches only what another one publishes on its own addresses. */
function placeOf(environment: Environment, on: string | undefined): Place {
  const { hosts } = environment;
  if (hosts !== undefined) return placeOfSeveral(environment, hosts, on);
  if (on !== undefined) {
    throw new UsageError(`--host: is for environments with several hosts, and ${environment.name} has one, got: ${on}`);
  }
  const { docker, kes } = environment;
  const { host, certPath, publishAddress, mtu, processLimit } = docker;
  const isElsewhere = remoteMachine(resolveEngine(docker, process.env)) !== undefined;
  const own = embeddedVault(environment)?.publishAddress ?? kes.publishAddress;
  return {
    // the range of addresses of the original, if it has one, is taken
    docker: { host, certPath, mtu, processLimit },
    at: isElsewhere
      ? { minio: publishAddress, kes: kes.publishAddress, vault: own }
      : { minio: LOOPBACK, kes: LOOPBACK, vault: LOOPBACK },
  };
}

function placeOfSeveral(
  { docker: { mtu, processLimit } }: Environment,
  hosts: NonNullable<Environment['hosts']>,
  on: string | undefined,
): Place {
  const host = hosts.find(({ name }) => name === on);
  if (on !== undefined && host === undefined) {
    throw new UsageError(`--host: must be one of ${hosts.map(({ name }) => name).join(', ')}, got: ${on}`);
  }
  const address = host?.address ?? LOOPBACK;
  return {
    docker: { host: host?.docker, certPath: host?.certificates, mtu, processLimit },
    at: { minio: address, kes: address, vault: address },
  };
}

const LOOPBACK = '127.0.0.1';

/** In the folder of a drill, held as long as it runs. */
export const DRILL_LOCK = 'lock';

/** The folder of a drill. */
export interface DrillFolder {
  readonly folder: string;
  /** Who works in it. Absent: it was killed. */
  readonly holder?: LockHolder;
}

/** The folders of drills with the same copy. One without a lock file says nothing about its drill, and is left out. */
export async function drillFolders(home: string, copy: Environment): Promise<DrillFolder[]> {
  const found: DrillFolder[] = [];
  for (const name of readdirSync(home).filter((entry) => /^drill-[A-Za-z0-9]{6}$/.test(entry))) {
    const folder = path.join(home, name);
    const own = path.join(folder, DRILL_LOCK);
    const other = environmentIn(path.join(folder, DRILL_ENVIRONMENT));
    if (!existsSync(own) || other?.name !== copy.name || other.docker.host !== copy.docker.host) continue;
    const { root, lock } = stateLayout(other.name, other.state.directory);
    // what it had started may go on without it
    const holders = await Promise.all([own, lock, `${root}.restore-lock`].map((file) => lockHolder(file)));
    const holder = holders.find((one) => one !== undefined);
    found.push({ folder, ...(holder === undefined ? {} : { holder }) });
  }
  return found;
}

function environmentIn(file: string): Environment | undefined {
  try {
    return parseEnvironment(readIfExists(file) ?? '', file);
  } catch {
    return undefined;
  }
}

/** An object that was written, and what it must be when it is read. */
export interface DrillObject {
  readonly bucket: string;
  readonly key: string;
  readonly sha256: string;
  /** The client's own key, for SSE-C. */
  readonly customerKey?: string;
}

interface Mode {
  readonly name: string;
  readonly bucket: string;
  readonly options: Partial<PutObjectCommandInput>;
  readonly customerKey?: string;
}

/** Writes objects of all sizes in every mode of encryption, under every master key. */
export async function writeObjects({ environment, state }: LoadedEnvironment): Promise<DrillObject[]> {
  const s3 = openS3({ environment, state });
  try {
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    const written: DrillObject[] = [];
    for (const { name, bucket, options, customerKey } of modesOf(environment)) {
      for (const size of SIZES) {
        const body = randomBytes(size);
        const key = `${name}/${size}`;
        await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...options }));
        written.push({ bucket, key, sha256: sha256(body), ...(customerKey === undefined ? {} : { customerKey }) });
      }
    }
    return written;
  } finally {
    s3.destroy();
  }
}

function modesOf(environment: Environment): Mode[] {
  const customerKey = randomBytes(32).toString('base64');
  return [
    { name: 'no header', bucket: BUCKET, options: {} },
    { name: 'SSE-S3', bucket: BUCKET, options: { ServerSideEncryption: 'AES256' } },
    {
      name: 'SSE-C',
      bucket: BUCKET,
      options: { SSECustomerAlgorithm: 'AES256', SSECustomerKey: customerKey },
      customerKey,
    },
    ...minioKeys(environment).map((key): Mode => ({
      name: `SSE-KMS ${key}`,
      bucket: BUCKET,
      options: { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key },
    })),
    ...environment.buckets.map(({ name }): Mode => ({ name: 'as the bucket has it', bucket: name, options: {} })),
  ];
}

/**
 * Opens every object and compares its hash.
 *
 * @throws ExternalError that names those that do not open, or are not what was written
 */
export async function openObjects(loaded: LoadedEnvironment, objects: readonly DrillObject[]): Promise<void> {
  const s3 = openS3(loaded);
  const lost: string[] = [];
  try {
    for (const object of objects) {
      const problem = await problemOf(s3, object);
      if (problem !== undefined) lost.push(`${object.bucket}/${object.key}: ${problem}`);
    }
  } finally {
    s3.destroy();
  }
  if (lost.length === 0) return;
  throw new ExternalError(`${lost.length} of ${objects.length} objects are lost:\n  ${lost.join('\n  ')}`);
}

/** Tries one object until it opens. @returns undefined when the signal says that nobody waits any more */
export async function firstOpening(
  loaded: () => LoadedEnvironment,
  object: DrillObject,
  signal: AbortSignal,
): Promise<Date | undefined> {
  while (!signal.aborted) {
    try {
      const s3 = openS3(loaded(), 1);
      const problem = await problemOf(s3, object);
      s3.destroy();
      if (problem === undefined) return new Date();
    } catch {
      // its certificates and credentials are not restored yet
    }
    await delay(250, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

async function problemOf(
  s3: S3Client,
  { bucket, key, customerKey, sha256: expected }: DrillObject,
): Promise<string | undefined> {
  try {
    const answer = await s3.send(
      new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ...(customerKey === undefined ? {} : { SSECustomerAlgorithm: 'AES256', SSECustomerKey: customerKey }),
      }),
    );
    const read = sha256(await bytesOf(answer));
    return read === expected ? undefined : 'it is not what was written';
  } catch (error) {
    return `${(error as Error).name}: ${messageOf(error)}`;
  }
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
