/** How volumes and folders of the Docker host are mounted there, as the kernel of that host says. */
import type Docker from 'dockerode';
import { buffer } from 'node:stream/consumers';
import { ExternalError } from '../lib/errors';
import { demultiplex, type OwnerLabel } from './docker';
import type { MountSource } from './mounted-files';

/** User and group "nobody": they own nothing, least of all a key. */
const NOBODY = '65534:65534';

export interface LookedAt {
  /** Image of the Docker host with `mc`, and the path of that. */
  readonly image: string;
  readonly mc: string;
  /** A container that a kill kept from being started is removed by the next deploy or `down`. */
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
      LogConfig: { Type: 'none', Config: {} },
      // also where this process is killed meanwhile
      AutoRemove: true,
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
    const output = await container.attach({ stream: true, stdout: true, stderr: true });
    await container.start();
    const text = demultiplex(await buffer(output));
    if (!/^\d+ \d+ \d+:\d+ /m.test(text)) {
      throw new ExternalError(`${mc} in ${image} could not read /proc/self/mountinfo: ${text.trim()}`);
    }
    return text;
  } finally {
    // Docker may be doing so, or have done
    await container.remove({ force: true }).catch((error: unknown) => {
      if (![404, 409].includes((error as { statusCode?: number }).statusCode ?? 0)) throw error;
    });
  }
}
