/**
 * The copy of an environment that a drill destroys: it has a name, ports, volumes, keys and a state folder of its own.
 */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { describeEngine, remoteMachine, resolveEngine } from '../../../config/docker/docker-engine';
import type { Environment, EnvironmentInput } from '../../../config/environment';
import { CHECKED_ROWS } from '../../../config/guard-rules';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { distributionOf, embeddedVault } from '../../../config/vault/vault';
import { UsageError } from '../../lib/errors';
import { readIfExists } from '../../lib/files';
import { type LockHolder, lockHolder } from '../../lib/lock';
import { freePorts } from '../../lib/net/free-ports';

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
  const name = `${original.name.slice(0, LONGEST_NAME - SUFFIX.length).replace(/-+$/, '')}${SUFFIX}`;
  const text = stringify({
    name,
    docker: { ...docker, publishAddress: at.minio },
    images,
    providers,
    // an external Vault, or a cloud, is not ours to rehearse in: its keys are not the copy's
    vault: { mode: 'embedded', distribution: distributionOf(original), port: vault, publishAddress: at.vault },
    keyStore: { type: 'vault', ...(keyStore.type === 'vault' ? { kvVersion: keyStore.kvVersion } : {}) },
    kes: { ...original.kes, port: kes, publishAddress: at.kes },
    // clients of the original are to find no copy by its names
    // and no copy is on the disks of the original
    minio: { ...original.minio, port: minio, hostnames: [], domain: undefined, ...drivesOf(original) },
    buckets: buckets.map((bucket) => ({ ...bucket, objectLock: false })),
    state: { backend: 'local', directory },
  });
  parseEnvironment(text, 'the environment file of the drill');
  return text;
}

/** As many drives, but of several hosts one: how objects are spread over hosts is not what is rehearsed. */
function drivesOf({ hosts, minio: { drives } }: Environment): Partial<EnvironmentInput['minio']> {
  if (hosts !== undefined) return { drives: 1, parity: undefined, pools: undefined, nodePort: undefined };
  return { drives: typeof drives === 'number' ? drives : drives.length };
}

/** Images by their programs; an OpenBao in the place of Vault counts as that. */
export type CopyImages = Readonly<Record<'vault' | 'kes' | 'minio', string>>;

/**
 * The environment file of a copy with other images. What such a MinIO lets through is not what is rehearsed.
 *
 * @param copy text of the file
 */
export function copyWithImages(copy: string, { vault, ...images }: CopyImages): string {
  const { images: declared, keyStore } = parseEnvironment(copy, 'the environment file of the drill');
  const settings = z.record(z.string(), z.unknown()).parse(parse(copy));
  const text = stringify({
    ...settings,
    images: {
      ...(declared.source === 'registry' ? declared : { source: 'registry' }),
      ...images,
      [distributionOf({ keyStore })]: vault,
    },
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
  if (host === undefined) requireLocalEngine();
  const address = host?.address ?? LOOPBACK;
  return {
    docker: { host: host?.docker, certPath: host?.certificates, mtu, processLimit },
    at: { minio: address, kes: address, vault: address },
  };
}

/** What is published on loopback, this machine reaches only where the engine is on it. */
function requireLocalEngine(): void {
  const engine = resolveEngine({}, process.env);
  if (remoteMachine(engine) === undefined) return;
  throw new UsageError(
    `--host: must be given where the Docker engine is on another machine (${describeEngine(engine)})`,
    'See ./scripts/drill --help.',
  );
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

/** The folders of drills with the same copy. One without a lock file says nothing about its drill, and is skipped. */
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
