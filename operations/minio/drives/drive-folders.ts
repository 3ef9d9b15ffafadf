/** Sees the folders that are drives of MinIO as they are on the Docker host, for drives-preflight.ts. */
import { statfsSync, statSync } from 'node:fs';
import type Docker from 'dockerode';
import { resolveEngine } from '../../../config/docker/docker-engine';
import { drivesText, type Node, nodesOf, poolsOf } from '../../../config/node';
import { onEachNode } from '../../docker/hosts/each-node';
import { HostsHere } from '../../docker/hosts/hosts-here';
import { isMissingFolder, MINIO_FORMAT_FILE, readMountedFile, withMountedFiles } from '../../docker/mounted-files';
import { deployedDrives, notedDeployment, notedPools } from '../../state/notes/drives-note';
import type { LoadedEnvironment } from '../../state/load';
import {
  declaredFolders,
  type Disk,
  type DriveFacts,
  isExpected,
  judgeDrives,
  type SeenFolder,
} from './drives-preflight';

/**
 * @param restored MinIO's id of the data that a restore is for
 * @param announce told what deserves a warning
 * @returns what came of it, for the list of steps
 * @throws UsageError if MinIO cannot have these drives; nothing was changed
 */
export async function requireUsableFolders(
  { environment, state }: LoadedEnvironment,
  announce: (line: string) => void,
  restored?: string,
  hosts = new HostsHere(),
): Promise<string> {
  const { minio } = environment;
  const declared = declaredFolders(minio.drives);
  const deployed = restored === undefined ? (deployedDrives(environment, state) ?? []) : [];
  // on their way from volumes to folders
  const volumes = deployed.filter(({ kind }) => kind === 'volume').map(({ source }) => source);
  const noted = restored ?? notedDeployment(state);
  const found = await onEachNode(hosts.here(environment), async (node, docker) => ({
    node,
    drives: await Promise.all(declared.map(async (drive, index) => factsOf(drive, index, node, docker))),
    ids: noted === undefined ? await idsIn(docker, volumes) : [noted],
  }));
  const ids = found.flatMap((one) => one.ids);
  const known = {
    ids: new Set(ids),
    folders: new Set(deployed.map(({ source }) => source)),
    ...(ids.length === 0 || restored !== undefined ? {} : { objectsOn: drivesText(deployed) }),
    ...(found.some(({ node }) => isHere(node)) ? { systemDevice: statSync('/').dev } : {}),
  };
  for (const pool of poolsOf(environment).keys()) {
    const nodes = nodesOf(environment).filter((node) => node.pool === pool + 1);
    // in MinIO's order: the first drive of each host, then the second of each (minio/pkg, ellipses)
    const drives = declared.flatMap((drive, index) =>
      nodes.map(
        (node): DriveFacts =>
          found.find((one) => one.node.number === node.number)?.drives[index] ?? {
            ...drive,
            ...placeOf(node, index),
            away: true,
          },
      ),
    );
    for (const warning of judgeDrives(drives, { ...known, isNewPool: pool >= notedPools(state) })) announce(warning);
  }
  return declared.map(({ folder }) => folder).join(', ');
}

/** One behind a port of this machine may be anywhere. */
const isHere = ({ docker }: Node): boolean => resolveEngine(docker, process.env).transport === 'unix';

const placeOf = ({ host }: Node, index: number): Pick<DriveFacts, 'on'> =>
  host === undefined ? {} : { on: { host: host.name, index } };

async function factsOf(
  declared: Pick<DriveFacts, 'folder' | 'adopt'>,
  index: number,
  node: Node,
  docker: Docker,
): Promise<DriveFacts> {
  return {
    ...declared,
    ...placeOf(node, index),
    seen: await look(docker, declared.folder),
    ...(isHere(node) ? { disk: diskOf(declared.folder) } : {}),
  };
}

async function look(docker: Docker, folder: string): Promise<SeenFolder | undefined> {
  try {
    return await withMountedFiles(docker, { folder }, 0, async (files) => {
      const root = await files.root(isExpected);
      const format = root.isFolder ? await files.read(MINIO_FORMAT_FILE) : undefined;
      return { ...root, format: format?.toString('utf8') };
    });
  } catch (error) {
    if (isMissingFolder(error)) return undefined;
    throw error;
  }
}

function diskOf(folder: string): Disk | undefined {
  try {
    const { bsize, blocks } = statfsSync(folder);
    return { device: statSync(folder).dev, bytes: bsize * blocks };
  } catch {
    // a folder that only root can reach
    return undefined;
  }
}

async function idsIn(docker: Docker, volumes: readonly string[]): Promise<string[]> {
  const formats = await Promise.all(volumes.map((volume) => readMountedFile(docker, { volume }, MINIO_FORMAT_FILE)));
  return formats.flatMap((format) =>
    format === undefined ? [] : [(JSON.parse(format.toString('utf8')) as { id: string }).id],
  );
}
