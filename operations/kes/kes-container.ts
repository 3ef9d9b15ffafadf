/**
 * KES in a container for one task beside the deployed one: with files of its own, in a network of the environment.
 * It bears the environment's label, so that `./scripts/down` finds what an interruption left.
 */
import type Docker from 'dockerode';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { SERVICE_UID as UID } from '../../config/service-user';
import { containerLogs, type OwnerLabel } from '../docker/docker';

export interface KesTask {
  readonly docker: Docker;
  readonly owner: OwnerLabel;
  /** Its volume is `<name>-files`. */
  readonly name: string;
  readonly image: string;
  readonly network: string;
  readonly command: readonly [string, ...string[]];
  /** Content by path below `/files`. */
  readonly files: Readonly<Record<string, string>>;
  /** Volumes or folders of the Docker host, by their path in the container. */
  readonly keys: Readonly<Record<string, string>>;
  readonly variables: Readonly<Record<string, string>>;
  /** A port of the container that is published on any free port of this address. */
  readonly publish?: { readonly port: number; readonly address: string };
}

/** Makes the container, calls `use`, and takes everything away again. */
export async function withKesContainer<T>(task: KesTask, use: (container: Docker.Container) => Promise<T>): Promise<T> {
  const { docker, owner, name } = task;
  const Labels = { [owner.name]: owner.value };
  const volume = `${name}-files`;
  await removeIfThere(docker, name, volume);
  try {
    await docker.createVolume({ Name: volume, Labels });
    const [program, ...parameters] = task.command;
    const publication = task.publish === undefined ? undefined : `${task.publish.port}/tcp`;
    const container = await docker.createContainer({
      name,
      Image: task.image,
      Entrypoint: [program],
      Cmd: parameters,
      User: `${UID}:${UID}`,
      Env: Object.entries(task.variables).map(([variable, value]) => `${variable}=${value}`),
      Labels,
      ...(publication === undefined ? {} : { ExposedPorts: { [publication]: {} } }),
      HostConfig: {
        NetworkMode: task.network,
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=64m,mode=1777' },
        Memory: 256 * 1024 * 1024,
        Binds: [`${volume}:/files`, ...Object.entries(task.keys).map(([inside, source]) => `${source}:${inside}`)],
        ...(publication === undefined
          ? {}
          : { PortBindings: { [publication]: [{ HostIp: task.publish?.address, HostPort: '' }] } }),
      },
    });
    await container.putArchive(await archiveOf(task.files), { path: '/files' });
    return await use(container);
  } finally {
    await removeIfThere(docker, name, volume);
  }
}

/** Starts a container and waits for its end. */
export async function runToEnd(
  container: Docker.Container,
): Promise<{ readonly code: number; readonly output: string }> {
  await container.start();
  const { StatusCode } = (await container.wait()) as { StatusCode: number };
  return { code: StatusCode, output: await containerLogs(container, 0) };
}

async function archiveOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const archive = pack();
  for (const folder of new Set(
    Object.keys(files).flatMap((name) => (name.includes('/') ? [name.split('/')[0]] : [])),
  )) {
    archive.entry({ name: folder ?? '', type: 'directory', mode: 0o500, uid: UID, gid: UID });
  }
  for (const [name, content] of Object.entries(files))
    archive.entry({ name, mode: 0o400, uid: UID, gid: UID }, content);
  archive.finalize();
  return buffer(archive);
}

async function removeIfThere(docker: Docker, name: string, volume: string): Promise<void> {
  const tolerated = (error: unknown): void => {
    if ((error as { statusCode?: number }).statusCode !== 404) throw error;
  };
  await docker.getContainer(name).remove({ force: true, v: true }).catch(tolerated);
  await docker.getVolume(volume).remove().catch(tolerated);
}
