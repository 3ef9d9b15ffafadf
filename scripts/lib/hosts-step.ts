import { existsSync } from 'node:fs';
import { hostEngine } from '../../config/state/layout';
import { rememberEngine } from '../../operations/docker/engine-identity';
import type { HostsHere } from '../../operations/docker/hosts-here';
import { judgeHosts, meetHosts } from '../../operations/docker/hosts-preflight';
import { UsageError } from '../../operations/lib/errors';
import { goPlatform } from '../../operations/lib/machine';
import type { Step } from '../../operations/lib/step';
import { readHostNote } from '../../operations/state/hosts-note';
import type { LoadedEnvironment } from '../../operations/state/load';

/** How Docker calls what Go calls so (`uname -m`). */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

/**
 * Whether the hosts answer, and can be one deployment.
 *
 * @param hosts told which are away
 */
export function hostsStep({ environment, state }: LoadedEnvironment, hosts: HostsHere): Step {
  return {
    title: 'Hosts',
    run: async ({ announce }) => {
      const met = await meetHosts(environment, (host) => readHostNote(state, host));
      const { away, warnings } = judgeHosts(met, existsSync(state.canaries));
      for (const { name, seen, engine, note } of met) {
        if ('problem' in seen) continue;
        if (environment.images.source === 'build') requireBuiltFor(name, seen.architecture);
        // one that takes the place of another; a first deploy notes it by itself
        if (note !== undefined && note.id !== seen.id) {
          rememberEngine(hostEngine(state, name), { ...note, id: seen.id, name: seen.machine, host: engine });
        }
      }
      for (const warning of warnings) announce(warning);
      hosts.leaveOut(away);
      return `${met.length - away.length} of ${met.length} answer`;
    },
  };
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
