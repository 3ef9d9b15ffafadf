/**
 * Which hosts a deployment has, by the notes of their engines. MinIO spreads objects over its nodes by their number and
 * their order, and Raft knows its servers by them: neither can change.
 */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Environment } from '../../../config/environment';
import { nodesOf } from '../../../config/node';
import { hostEngine, type StateLayout } from '../../../config/state/layout';
import { type EngineNote, readEngineNote } from '../../docker/engine/engine-identity';
import { UsageError } from '../../lib/errors';

/** The engine that a host was deployed to; undefined before that. */
export function readHostNote(state: StateLayout, host: string): EngineNote | undefined {
  return readEngineNote({ engine: hostEngine(state, host) });
}

/** @throws UsageError for hosts that a deployment cannot change to */
export function requireSameHosts(environment: Environment, state: StateLayout): void {
  const before = deployedHosts(state);
  const declared = nodesOf(environment).flatMap(({ host }) => (host === undefined ? [] : [host.name]));
  // the keys are made when every host was deployed to; before that, a deploy may have come to some of them
  if (!existsSync(state.canaries) || before.join() === declared.join()) return;
  const was = before.length === 0 ? 'one host, without hosts' : before.join(', ');
  throw new UsageError(
    `hosts: environment ${environment.name} was deployed on ${was}, and neither the number nor the order of hosts can change, got: ${declared.length === 0 ? 'no hosts' : declared.join(', ')}`,
    'put the old setting back; a host is replaced by another machine under its name. Other hosts are another environment: docs/hosts.md. Nothing was changed',
  );
}

/** In their order. */
function deployedHosts(state: StateLayout): string[] {
  const files = existsSync(state.engines) ? readdirSync(state.engines) : [];
  return files
    .filter((file) => file.endsWith('.json'))
    .map((file) => path.basename(file, '.json'))
    .map((name) => ({ name, number: readHostNote(state, name)?.number ?? 0 }))
    .sort((one, other) => one.number - other.number)
    .map(({ name }) => name);
}
