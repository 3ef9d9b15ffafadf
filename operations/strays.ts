/**
 * What an environment has on the Docker host and Terraform does not know: its state was lost, or a deploy was killed
 * after Docker had made something and before that was written down. Terraform would try to make it once more, and stop
 * at the name that is taken.
 *
 * Containers and the network hold nothing, and the deploy that follows makes them again. Volumes are left alone: Docker
 * gives a volume of the same name to whoever asks for it.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import { z } from 'zod';
import type { LoadedEnvironment } from '../config/load';
import type { OwnerLabel } from './docker';
import { ExternalError } from './errors';
import { belongingsOf, removeContainer, removeNetwork } from './tear-down';
import { localStates, readLocalState } from './terraform-state';

const DOCKER_TYPES = ['docker_container', 'docker_network'];

const stateFile = z.object({
  resources: z
    .array(z.object({ type: z.string(), instances: z.array(z.object({ attributes: z.unknown() })).default([]) }))
    .default([]),
});
const withId = z.object({ id: z.string() });

/**
 * Removes containers and networks that no state file names.
 *
 * @returns the names of what was removed
 * @throws ExternalError if this environment runs, and this state folder never deployed it: it is somebody else's
 */
export async function removeStrays(
  { environment, state }: LoadedEnvironment,
  docker: Docker,
  owner: OwnerLabel,
): Promise<string[]> {
  // a state elsewhere cannot be lost with this machine, and is read by Terraform alone
  if (environment.state.backend !== 'local') return [];
  const { containers, networks } = await belongingsOf(docker, owner);
  // the marker is the first thing that a deploy makes
  if (!existsSync(state.deployment)) {
    if (containers.length === 0) return [];
    throw new ExternalError(
      `environment ${environment.name} runs here (${containers.length} containers), but the state folder ${state.root} did not deploy it`,
      `put that folder back, or rebuild it: ./scripts/restore --from BACKUP --identity FILE --replace ${environment.name}. Another environment of the same name needs another name; nothing was changed`,
    );
  }
  const known = knownIds(state.terraform);
  const strayNetworks = networks.filter(({ id }) => !known.has(id));
  // a network cannot go while a container is in it
  const strays = strayNetworks.length > 0 ? containers : containers.filter(({ id }) => !known.has(id));
  for (const { id, name } of strays) await removeContainer(docker.getContainer(id), name);
  for (const { id, name } of strayNetworks) await removeNetwork(docker.getNetwork(id), name);
  return [...strays, ...strayNetworks].map(({ name }) => name);
}

/** Docker's ids of everything in Terraform's local state. */
function knownIds(folder: string): Set<string> {
  return new Set(
    localStates(folder).flatMap((file) => {
      const { resources } = readState(file);
      const instances = resources.filter(({ type }) => DOCKER_TYPES.includes(type)).flatMap((one) => one.instances);
      return instances.flatMap(({ attributes }) => {
        const parsed = withId.safeParse(attributes);
        return parsed.success ? [parsed.data.id] : [];
      });
    }),
  );
}

function readState(file: string): z.infer<typeof stateFile> {
  const parsed = stateFile.safeParse(readLocalState(file));
  if (parsed.success) return parsed.data;
  throw new ExternalError(
    `${file} is not Terraform's state`,
    `put it back (Terraform keeps the one before as ${path.basename(file)}.backup), or remove it: what it named is found again`,
  );
}
