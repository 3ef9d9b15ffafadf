import { hostEngine } from '../../../config/state/layout';
import { nodesOf, notedPool } from '../../../config/node';
import { rememberEngine } from '../engine/engine-identity';
import type { HostsHere } from './hosts-here';
import { requireSameVaults } from './same-vaults';
import { judgeHosts, meetHosts, type SeenHost, whyEveryHost } from './hosts-preflight';
import { ExternalError, UsageError } from '../../lib/errors';
import { goPlatform } from '../../lib/machine';
import type { Step } from '../../lib/step';
import { readHostNote } from '../../state/notes/hosts-note';
import type { LoadedEnvironment } from '../../state/load';

/** How Docker calls what Go calls so (`uname -m`). */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

/**
 * Whether the hosts answer, and can be one deployment.
 *
 * @param hosts told which are away
 */
export function hostsStep(loaded: LoadedEnvironment, hosts: HostsHere): Step {
  const { environment, state } = loaded;
  return {
    title: 'Hosts',
    run: async ({ announce }) => {
      await requireSameVaults(loaded);
      const met = await meetHosts(environment, (host) => readHostNote(state, host));
      const { away, warnings } = judgeHosts(met, whyEveryHost(state, met));
      requireBuildable(loaded, met);
      // one that takes the place of another; a first deploy notes it by itself
      noteHosts(
        loaded,
        met.filter(({ note, seen }) => note !== undefined && 'id' in seen && note.id !== seen.id),
      );
      for (const warning of warnings) announce(warning);
      hosts.leaveOut(away);
      return `${met.length - away.length} of ${met.length} answer`;
    },
  };
}

/**
 * For a command that changes a whole deployment: every host answers, and is the one that was deployed to.
 *
 * @param what the subject of the error: `./scripts/rotate`
 * @throws ExternalError
 */
export async function requireEveryHost(loaded: LoadedEnvironment, what: string): Promise<void> {
  const { environment, state, argument } = loaded;
  await requireSameVaults(loaded);
  const met = await meetHosts(environment, (host) => readHostNote(state, host));
  judgeHosts(met, `${what} needs every host`);
  const replaced = met.flatMap(({ name, seen, note }) => ('id' in seen && note?.id !== seen.id ? [name] : []));
  if (replaced.length === 0) return;
  throw new ExternalError(
    `what is on host ${replaced.join(', ')} was not deployed to the Docker engine that answers there`,
    `first run ./scripts/up ${argument}; nothing was changed`,
  );
}

/** Writes down which engine each host has. Whoever calls has judged them. */
export function noteHosts({ environment, state }: LoadedEnvironment, met: readonly SeenHost[]): void {
  for (const { name, seen, engine } of met) {
    const node = nodesOf(environment).find(({ host }) => host?.name === name);
    if ('problem' in seen || node === undefined) continue;
    const place = { number: node.number, ...notedPool(environment, node) };
    rememberEngine(hostEngine(state, name), { id: seen.id, name: seen.machine, host: engine, ...place });
  }
}

/** @throws UsageError where images are built here, and a host cannot run them */
export function requireBuildable({ environment }: Pick<LoadedEnvironment, 'environment'>, met: readonly SeenHost[]) {
  if (environment.images.source !== 'build') return;
  for (const { name, seen } of met) if ('architecture' in seen) requireBuiltFor(name, seen.architecture);
}

function requireBuiltFor(host: string, architecture: string): void {
  const here = goPlatform().architecture;
  const there = ARCHITECTURES[architecture] ?? architecture;
  if (there === here) return;
  throw new UsageError(
    `images can only be built for the architecture of this machine (${here}), host ${host} has: ${there}`,
    'write `images: {source: registry, …}` in the environment file, or run this on a machine like the hosts',
  );
}
