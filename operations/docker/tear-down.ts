/**
 * Takes an environment away: what runs, and if asked what it keeps.
 *
 * By Docker's labels and not through Terraform: so it needs no Vault, no state and no providers, works on whatever a
 * broken deploy left behind, and removes nothing that does not say that it belongs to this environment. Terraform finds
 * out by itself that containers are gone, and the next deploy makes them again.
 *
 * |                                             | down | down --delete-data        |
 * |---------------------------------------------|------|---------------------------|
 * | containers, networks, file volumes          | gone | gone                      |
 * | data volumes (Vault's keys, audit, objects) | stay | gone                      |
 * | secrets, canaries, certificates, state      | stay | gone                      |
 * | the same, set aside by a restore            | stay | gone                      |
 * | what is in an external Vault                | stay | stays, with how to remove |
 * | folders that are drives of MinIO            | stay | stay, with how to empty   |
 * | images, built programs                      | stay | stay: a shared cache      |
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type Docker from 'dockerode';
import type { LoadedEnvironment } from '../state/load';
import { MTU_OPTION } from '../../config/docker/networks';
import { RESTORE_PREVIEW, type StateLayout, stateLayout, UNFINISHED_BACKUP } from '../../config/state/layout';
import { holdsFiles } from '../../config/node';
import type { OwnerLabel } from './docker';
import { ExternalError, messageOf } from '../lib/errors';
import { deleteRemoteState } from '../terraform/remote-state';
import type { Step } from '../lib/step';

/** What an environment has on a Docker host. */
export interface DockerResources {
  /** Newest first, so that each is stopped before what it needs. */
  readonly containers: readonly { readonly id: string; readonly name: string; readonly running: boolean }[];
  /** Volumes with files that every deploy delivers again. */
  readonly fileVolumes: readonly string[];
  /** Volumes whose content cannot be made again. */
  readonly dataVolumes: readonly string[];
  readonly networks: readonly DockerNetwork[];
}

export interface DockerNetwork {
  readonly id: string;
  readonly name: string;
  /** IPv4 range. */
  readonly subnet?: string | undefined;
  /** Largest packet, if it was asked for. */
  readonly mtu?: number | undefined;
}

/** Docker's states of a container that is not used at the moment; in the others it runs, or soon will again. */
const NOT_RUNNING = ['created', 'exited', 'dead'];

export async function dockerResourcesOf(docker: Docker, owner: OwnerLabel): Promise<DockerResources> {
  const filters = { label: [`${owner.name}=${owner.value}`] };
  const [containers, { Volumes }, networks] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listVolumes({ filters: JSON.stringify(filters) }),
    docker.listNetworks({ filters }),
  ]);
  const volumes = Volumes.map(({ Name }) => Name).sort();
  return {
    containers: containers
      .sort((a, b) => b.Created - a.Created)
      .map(({ Id, Names, State }) => ({
        id: Id,
        name: Names[0]?.replace(/^\//, '') ?? Id.slice(0, 12),
        running: !NOT_RUNNING.includes(State),
      })),
    fileVolumes: volumes.filter(holdsFiles),
    dataVolumes: volumes.filter((name) => !holdsFiles(name)),
    // Docker gives them in no order
    networks: networks.map(networkOf).sort((a, b) => a.name.localeCompare(b.name)),
  };
}

function networkOf({ Id, Name, IPAM, Options }: Docker.NetworkInspectInfo): DockerNetwork {
  const subnet = IPAM?.Config?.map(({ Subnet }) => Subnet).find((range) => range?.includes('.') === true);
  const mtu = Options?.[MTU_OPTION];
  return {
    id: Id,
    name: Name,
    ...(subnet === undefined ? {} : { subnet }),
    ...(mtu === undefined ? {} : { mtu: Number(mtu) }),
  };
}

export interface TearDown {
  readonly docker: Docker;
  readonly owner: OwnerLabel;
  readonly loaded: LoadedEnvironment;
  /** Remove data volumes and the state folder, too. */
  readonly deleteData: boolean;
}

/** The steps, each of which finds by itself what is left to do. */
export function tearDownSteps(tearDown: TearDown): Step[] {
  return [...hostSteps(tearDown), ...stateSteps(tearDown)];
}

/** The steps on one Docker host. @param where it is, for a title: ` on host b` */
export function hostSteps({ docker, owner, deleteData }: Omit<TearDown, 'loaded'>, where = ''): Step[] {
  const containers: Step = {
    title: `Containers${where}`,
    run: async ({ report, signal }) => {
      const { containers } = await dockerResourcesOf(docker, owner);
      for (const { id, name } of containers) {
        signal.throwIfAborted();
        report(name);
        await removeContainer(docker.getContainer(id), name);
      }
      return removed(containers.length);
    },
  };
  const volumes: Step = {
    title: `${deleteData ? 'Volumes' : 'File volumes'}${where}`,
    run: async ({ report, signal }) => {
      const { fileVolumes, dataVolumes } = await dockerResourcesOf(docker, owner);
      const names = deleteData ? [...fileVolumes, ...dataVolumes] : fileVolumes;
      for (const name of names) {
        signal.throwIfAborted();
        report(name);
        await tolerate([404], `volume ${name} cannot be removed`, () => docker.getVolume(name).remove());
      }
      return removed(names.length);
    },
  };
  const networks: Step = {
    title: `Networks${where}`,
    run: async () => {
      const { networks } = await dockerResourcesOf(docker, owner);
      for (const { id, name } of networks) {
        await removeNetwork(docker.getNetwork(id), name);
      }
      return removed(networks.length);
    },
  };
  return [containers, volumes, networks];
}

/** The steps behind those on every host. */
export function stateSteps({ loaded, deleteData }: Pick<TearDown, 'loaded' | 'deleteData'>): Step[] {
  const { environment, state } = loaded;
  const remoteState: Step = {
    title: 'Remote Terraform state',
    applies: () => deleteData && environment.state.backend === 's3',
    run: async () => removed(await deleteRemoteState(environment)),
  };
  const stateFolder: Step = {
    title: 'State folder',
    applies: () => deleteData,
    run: async () => {
      const setAside = setAsideFolders(state);
      for (const folder of setAside) {
        const earlier = stateLayout(environment.name, folder);
        deleteState(earlier);
        // whoever held it is gone, or has lost everything else
        rmSync(earlier.lock, { force: true });
        removeEmptyStateFolder(earlier);
      }
      // last what tells of the others
      deleteState(state);
      return Promise.resolve([state.root, ...setAside].join(', '));
    },
  };
  return [remoteState, stateFolder];
}

/** State folders that restores have renamed, or left when they were killed, see backup/restore.ts: with secrets. */
export function setAsideFolders({ root }: StateLayout): string[] {
  const { dir, base } = path.parse(root);
  const prefix = `${base}.before-restore-`;
  const entries = existsSync(dir) ? readdirSync(dir, { withFileTypes: true }) : [];
  return entries
    .filter((entry) => entry.isDirectory())
    .filter(
      ({ name }) =>
        name === `${base}${RESTORE_PREVIEW}` ||
        (name.startsWith(prefix) && /^\d{4}-\d\d-\d\dT/.test(name.slice(prefix.length))),
    )
    .map(({ name }) => path.join(dir, name))
    .sort();
}

/** Removes the folder of an environment if nothing is left in it. The lock must have been released. */
export function removeEmptyStateFolder(state: StateLayout): void {
  if (existsSync(state.root) && readdirSync(state.root).length === 0) rmdirSync(state.root);
}

/** What is not ours in a folder that the environment file may have named freely stays. */
function deleteState(state: StateLayout): void {
  const ours = [
    // last what says that something was deployed, so that an interruption is noticed by the next deploy
    state.versions,
    ...[state.cdktfOut, state.reports, state.logs, state.terraform, state.tls, state.vaultClients],
    ...[state.secretIdNote, state.outdatedSecretIds, state.minioMetricsNote, state.clientsNote, state.evidenceLock],
    ...[state.identitiesNote],
    ...[
      state.keyStore,
      state.vaultSeal,
      state.drives,
      state.canaries,
      state.earlierObjects,
      state.awayDrives,
      state.healLock,
    ],
    ...[state.environment, state.lastBackup, state.restore, state.rotation, state.rotationsLog],
    ...[state.operations, state.secrets, state.deployment, state.engine, state.engines, state.turn, state.scheduleLock],
  ];
  for (const entry of ours) {
    rmSync(entry, { recursive: true, force: true });
    // what an interrupted write left beside its file
    removeBeside(entry, (rest) => rest.endsWith('.tmp'));
  }
  // what a backup left that was killed while it uploaded
  removeBeside(path.join(state.root, UNFINISHED_BACKUP), () => true);
}

/** Removes what is in the folder of `entry` by what follows after its name. */
function removeBeside(entry: string, matches: (rest: string) => boolean): void {
  const folder = path.dirname(entry);
  const base = path.basename(entry);
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (name.startsWith(base) && matches(name.slice(base.length))) rmSync(path.join(folder, name), { recursive: true });
  }
}

/** Stops a container within the time that it was given for that, then removes it. */
export async function removeContainer(container: Docker.Container, name: string): Promise<void> {
  await tolerate([304, 404], `container ${name} cannot be stopped`, () => container.stop());
  // 409: someone else is removing it already
  await tolerate([404, 409], `container ${name} cannot be removed`, () => container.remove({ force: true, v: true }));
}

export async function removeNetwork(network: Docker.Network, name: string): Promise<void> {
  await tolerate([404], `network ${name} cannot be removed`, () => network.remove());
}

async function tolerate(statusCodes: readonly number[], problem: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (statusCodes.includes((error as { statusCode?: number }).statusCode ?? 0)) return;
    throw new ExternalError(`${problem}: ${messageOf(error)}`, 'remove what uses it, then run this again', {
      cause: error,
    });
  }
}

function removed(count: number): string {
  return count === 0 ? 'nothing there' : `${count} removed`;
}
