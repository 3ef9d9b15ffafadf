/**
 * Which hosts a deployment has, by the notes of their engines. MinIO spreads objects over the nodes of a pool by their
 * number and their order, and Raft knows its servers by them: neither can change. More hosts are another pool.
 */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Environment } from '../../../config/environment';
import { nodesOf, poolsOf } from '../../../config/node';
import { hostEngine, type StateLayout } from '../../../config/state/layout';
import { type EngineNote, readEngineNote } from '../../docker/engine/engine-identity';
import { UsageError } from '../../lib/errors';

/** The engine that a host was deployed to; undefined before that. */
export function readHostNote(state: StateLayout, host: string): EngineNote | undefined {
  return readEngineNote({ engine: hostEngine(state, host) });
}

/** A host, its pool, and how many hosts that has. */
interface Place {
  readonly name: string;
  readonly pool: number;
  readonly of: number;
}

/** @throws UsageError for hosts that a deployment cannot change to */
export function requireSameHosts(environment: Environment, state: StateLayout): void {
  // the keys are made when every host was deployed to; before that, a deploy may have come to some of them
  if (!existsSync(state.canaries)) return;
  const before = deployedHosts(state);
  const declared = declaredHosts(environment);
  const isMoved = ({ name, pool, of }: Place, index: number): boolean => {
    const now = declared[index];
    return now?.name !== name || now.pool !== pool || now.of !== of;
  };
  if (before.length === 0 ? declared.length === 0 : !before.some(isMoved)) return;
  throw new UsageError(
    `hosts: environment ${environment.name} was deployed on ${inWords(before, 'one host, without hosts')}, and neither the order of hosts nor their pools can change, got: ${inWords(declared, 'no hosts')}`,
    `put the old setting back; a host is replaced by another machine under its name, and more hosts are another pool of minio.pools: docs/hosts.md. Nothing was changed`,
  );
}

function inWords(hosts: readonly Place[], none: string): string {
  if (hosts.length === 0) return none;
  const pools = [...new Set(hosts.map(({ pool }) => pool))];
  return pools
    .map((pool) => hosts.filter((host) => host.pool === pool).map(({ name }) => name))
    .map((names) => names.join(', '))
    .join(' and ');
}

function declaredHosts(environment: Environment): Place[] {
  const pools = poolsOf(environment);
  return nodesOf(environment).flatMap(({ host, pool }) =>
    host === undefined ? [] : [{ name: host.name, pool, of: pools[pool - 1] ?? 0 }],
  );
}

/** In their order. */
function deployedHosts(state: StateLayout): Place[] {
  const files = existsSync(state.engines) ? readdirSync(state.engines) : [];
  const hosts = files
    .filter((file) => file.endsWith('.json'))
    .map((file) => path.basename(file, '.json'))
    .map((name) => ({ name, note: readHostNote(state, name) }))
    .sort((one, other) => (one.note?.number ?? 0) - (other.note?.number ?? 0));
  // what was deployed as one pool is noted without it
  const first = hosts.filter(({ note }) => note?.pool === undefined).length;
  return hosts.map(({ name, note }) => ({ name, pool: note?.pool?.number ?? 1, of: note?.pool?.hosts ?? first }));
}
