/** How volumes and folders of the Docker host are mounted there, as the kernel of that host says. */
import type Docker from 'dockerode';
import { ExternalError } from '../lib/errors';
import { containerLogs, type OwnerLabel } from './docker';
import type { MountSource } from './mounted-files';

/** User and group "nobody": they own nothing, least of all a key. */
const NOBODY = '65534:65534';

export interface LookedAt {
  /** Image of the Docker host with `mc`, and the path of that. */
  readonly image: string;
  readonly mc: string;
  /** So that what a kill leaves here is removed by the next deploy or `down`. */
  readonly owner: OwnerLabel;
}

/** Where a container sees the source with that index. */
export const placeOf = (index: number): string => `/places/${index}`;

/** A file that Docker mounts into each container: it is where the logs of containers are, too. */
export const DATA_ROOT_FILE = '/etc/hostname';

/**
 * The mounts of a short-lived container with these sources, as /proc/self/mountinfo lists them. The container reads
 * nothing else, and may do nothing: no network, no capability, no file of its own, everything read-only.
 *
 * @throws ExternalError if Docker cannot run it, such as where a folder is not there
 */
export async function hostMounts(
  docker: Docker,
  { image, mc, owner }: LookedAt,
  sources: readonly MountSource[],
): Promise<string> {
  const container = await docker.createContainer({
    Image: image,
    Entrypoint: [mc],
    Cmd: ['--quiet', '--config-dir', '/tmp/mc', 'cat', '/proc/self/mountinfo'],
    User: NOBODY,
    Labels: { [owner.name]: owner.value },
    HostConfig: {
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=1m,mode=1777' },
      LogConfig: { Type: 'json-file', Config: {} },
      Mounts: sources.map((source, index) =>
        'volume' in source
          ? {
              ...{ Type: 'volume', Source: source.volume, Target: placeOf(index), ReadOnly: true },
              VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: '', Options: {} } },
            }
          : { Type: 'bind', Source: source.folder, Target: placeOf(index), ReadOnly: true },
      ),
    },
  });
  try {
    await container.start();
    const { StatusCode } = (await container.wait()) as { readonly StatusCode: number };
    const text = await containerLogs(container, 0);
    if (StatusCode !== 0) {
      throw new ExternalError(
        `${mc} in ${image} could not read /proc/self/mountinfo (exit code ${StatusCode}): ${text}`,
      );
    }
    return text;
  } finally {
    await container.remove({ force: true });
  }
}
