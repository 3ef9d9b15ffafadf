/** Sees the folders that are drives of MinIO as they are on the Docker host, for drives-preflight.ts. */
import { statfsSync, statSync } from 'node:fs';
import type Docker from 'dockerode';
import { resolveEngine } from '../../../config/docker/docker-engine';
import { drivesText, type Node } from '../../../config/node';
import { onEachNode } from '../../docker/hosts/each-node';
import { HostsHere } from '../../docker/hosts/hosts-here';
import { isMissingFolder, MINIO_FORMAT_FILE, readMountedFile, withMountedFiles } from '../../docker/mounted-files';
import { deployedDrives, notedDeployment } from '../../state/notes/drives-note';
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
  const folders = await onEachNode(hosts.here(environment), async (node, docker) =>
    requireUsableFoldersOf({ environment, state, node, docker, announce, restored }),
  );
  return [...new Set(folders)].join(', ');
}

interface FoldersOfNode extends Pick<LoadedEnvironment, 'environment' | 'state'> {
  readonly node: Node;
  readonly docker: Docker;
  readonly announce: (line: string) => void;
  readonly restored: string | undefined;
}

async function requireUsableFoldersOf(of: FoldersOfNode): Promise<string> {
  const { environment, state, node, docker, announce, restored } = of;
  // one behind a port of this machine may be anywhere
  const isHere = resolveEngine(node.docker, process.env).transport === 'unix';
  const drives = await Promise.all(
    declaredFolders(environment.minio.drives).map(async (declared): Promise<DriveFacts> => ({
      ...declared,
      seen: await look(docker, declared.folder),
      ...(isHere ? { disk: diskOf(declared.folder) } : {}),
    })),
  );
  const deployed = restored === undefined ? (deployedDrives(environment, state) ?? []) : [];
  const noted = restored ?? notedDeployment(state);
  // on their way from volumes to folders
  const volumes = deployed.filter(({ kind }) => kind === 'volume').map(({ source }) => source);
  const ids = noted === undefined ? await idsIn(docker, volumes) : [noted];
  const warnings = judgeDrives(drives, {
    ids: new Set(ids),
    folders: new Set(deployed.map(({ source }) => source)),
    ...(ids.length === 0 || restored !== undefined ? {} : { objectsOn: drivesText(deployed) }),
    ...(isHere ? { systemDevice: statSync('/').dev } : {}),
  });
  for (const warning of warnings) announce(`${node.host === undefined ? '' : `host ${node.host.name}: `}${warning}`);
  return drives.map(({ folder }) => folder).join(', ');
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
