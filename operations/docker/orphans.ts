/**
 * What an environment has on the Docker host and Terraform does not know: its state was lost, or a deploy was killed
 * after Docker had made something and before that was written down. Terraform would try to make it once more, and stop
 * at the name that is taken.
 *
 * Containers and networks hold nothing, and the deploy that follows makes them again. Volumes are left alone: Docker
 * gives a volume of the same name to whoever asks for it.
 */
import { existsSync } from 'node:fs';
import type Docker from 'dockerode';
import type { Environment } from '../../config/environment';
import type { LoadedEnvironment } from '../state/load';
import { networksOf } from '../../config/docker/networks';
import { everyStack } from '../terraform/stack-names';
import { nodesOf, standbyOf } from '../../config/node';
import type { OwnerLabel } from './docker';
import { isProbe } from './networks-preflight';
import { ExternalError } from '../lib/errors';
import {
  type DockerResources,
  dockerResourcesOf,
  type DockerNetwork,
  removeContainer,
  removeNetwork,
} from './tear-down';
import { managedResources } from '../terraform/terraform-state';

type Orphans = Pick<DockerResources, 'containers' | 'networks'>;

/**
 * Removes containers and networks that no state names.
 *
 * @returns the names of what was removed
 * @throws ExternalError if this environment runs, and this state folder never deployed it: another state folder owns it
 */
export async function removeOrphans(loaded: LoadedEnvironment, docker: Docker, owner: OwnerLabel): Promise<string[]> {
  const { environment, state } = loaded;
  const dockerResources = await dockerResourcesOf(docker, owner);
  // only a network may be older than the marker
  if (!existsSync(state.deployment) && dockerResources.containers.length > 0) {
    throw new ExternalError(
      `environment ${environment.name} runs here (${dockerResources.containers.length} containers), but the state folder ${state.root} did not deploy it`,
      `put that folder back, or rebuild it: ./scripts/restore --from BACKUP --identity FILE --replace ${environment.name}. Another environment of the same name needs another name; nothing was changed`,
    );
  }
  const { containers, networks } = await orphansAmong(dockerResources, loaded);
  // a network cannot go while a container is in it
  const used = networks.some(({ name }) => !isProbe(name));
  return remove({ containers: used ? dockerResources.containers : containers, networks }, docker);
}

/**
 * Removes networks that are not as they are declared, with every container, because Docker changes nothing about a network
 * and takes none away that is in use. Both hold nothing, and the deploy that follows makes them again.
 *
 * @returns the names of the networks
 */
export async function removeChangedNetworks(
  { environment }: Pick<LoadedEnvironment, 'environment'>,
  docker: Docker,
  owner: OwnerLabel,
): Promise<string[]> {
  const { containers, networks } = await dockerResourcesOf(docker, owner);
  const changed = changedNetworks(networks, environment);
  if (changed.length > 0) await remove({ containers, networks: changed }, docker);
  return changed.map(({ name }) => name);
}

function changedNetworks(networks: readonly DockerNetwork[], environment: Environment): DockerNetwork[] {
  const declared = networksOf(environment);
  return networks.filter(({ name, subnet, mtu }) => {
    const wanted = declared.find((network) => network.name === name);
    // where nothing is declared, what Docker has is as good as anything
    return (
      wanted !== undefined && ((wanted.subnet ?? subnet) !== subnet || (wanted.mtu !== undefined && wanted.mtu !== mtu))
    );
  });
}

/**
 * Removes containers that no state names and that do not run, such as the loader of a file volume: as much as a rotation
 * may do, which must not interrupt service, and whose first steps may need what runs.
 *
 * @returns the names of what was removed
 * @throws ExternalError if something else is in the way of a deploy
 */
export async function removeIdleOrphans(
  loaded: LoadedEnvironment,
  docker: Docker,
  owner: OwnerLabel,
): Promise<string[]> {
  const { environment, argument } = loaded;
  const dockerResources = await dockerResourcesOf(docker, owner);
  const [changed] = changedNetworks(dockerResources.networks, environment);
  if (changed !== undefined) {
    throw new ExternalError(
      `network ${changed.name} is not as docker.subnet and docker.mtu declare it, and a rotation does not recreate it`,
      `./scripts/up ${argument} does; then run the rotation again. Nothing was changed`,
    );
  }
  const { containers, networks } = await orphansAmong(dockerResources, loaded);
  // it is in no deploy's way, and the rotation that was killed takes it away by itself
  const standby = standbyOf(nodesOf(environment)[0].kes.container);
  const used = [...containers.filter(({ name, running }) => running && name !== standby), ...networks];
  if (used.length > 0) {
    throw new ExternalError(
      `Terraform's state does not know ${used.map(({ name }) => name).join(', ')}, as after a deploy that was killed, and the deploys of a rotation would stop there`,
      `./scripts/up ${argument} removes that, and makes again what is declared; then run the rotation again. Nothing was changed`,
    );
  }
  return remove({ containers: containers.filter(({ running }) => !running), networks: [] }, docker);
}

async function remove({ containers, networks }: Orphans, docker: Docker): Promise<string[]> {
  for (const { id, name } of containers) await removeContainer(docker.getContainer(id), name);
  for (const { id, name } of networks) await removeNetwork(docker.getNetwork(id), name);
  return [...containers, ...networks].map(({ name }) => name);
}

/** @throws ExternalError if there are containers, and no state at all where the environment file says that it is */
async function orphansAmong({ containers, networks }: Orphans, loaded: LoadedEnvironment): Promise<Orphans> {
  // a first deploy finds out by itself whether the state can be reached
  if (containers.length === 0 && networks.length === 0) return { containers, networks };
  // of every stack: that of a Vault which the environment file no longer has still names what a migration reads
  const states = await Promise.all(everyStack(loaded.environment).map((stack) => managedResources(loaded, stack)));
  const { name, state } = loaded.environment;
  // with containers the first stack was done, and its state written
  if (state.backend === 's3' && containers.length > 0 && states.every((made) => made === undefined)) {
    throw new ExternalError(
      `environment ${name} runs here (${containers.length} containers), but s3://${state.bucket}/${state.keyPrefix}/${name}/ holds no Terraform state of it`,
      `set state in the environment file to the place of the last deploy. If that state is lost: ./scripts/down ${loaded.argument}, then ./scripts/up ${loaded.argument}, which adopts volumes and what is in an embedded Vault; nothing was changed`,
    );
  }
  const ids = new Set(
    states.flatMap((made) =>
      (made ?? []).filter(({ type }) => DOCKER_TYPES.includes(type)).map(({ attributes: { id } }) => id),
    ),
  );
  const isOrphan = ({ id }: { readonly id: string }): boolean => !ids.has(id);
  return { containers: containers.filter(isOrphan), networks: networks.filter(isOrphan) };
}

const DOCKER_TYPES = ['docker_container', 'docker_network'];
