/** How volumes and folders of the Docker host are mounted there, as the kernel of that host says. */
import type Docker from 'dockerode';
import { buffer } from 'node:stream/consumers';
import { ExternalError, messageOf } from '../../lib/errors';
import { demultiplex, type OwnerLabel } from '../docker';
import type { MountSource } from '../mounted-files';

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
 * nothing else, and may do nothing: no network, no capability, no file of its own, everything read-only. A folder that is
 * not there, such as that of a drive which was pulled out, is not looked at.
 *
 * @throws ExternalError if the container cannot do it
 */
export async function hostMounts(docker: Docker, at: LookedAt, sources: readonly MountSource[]): Promise<string> {
  const { image, mc } = at;
  const container = await createFor(
    docker,
    at,
    sources.map((source, index) => mountOf(source, placeOf(index))),
  );
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

function mountOf(source: MountSource, Target: string): Docker.MountSettings {
  if ('folder' in source) return { Type: 'bind', Source: source.folder, Target, ReadOnly: true };
  const VolumeOptions = { NoCopy: true, Labels: {}, DriverConfig: { Name: '', Options: {} } };
  return { Type: 'volume', Source: source.volume, Target, ReadOnly: true, VolumeOptions };
}

async function createFor(
  docker: Docker,
  { image, mc, owner }: LookedAt,
  mounts: readonly Docker.MountSettings[],
): Promise<Docker.Container> {
  try {
    return await docker.createContainer({
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
        Mounts: [...mounts],
      },
    });
  } catch (error) {
    // moby, volume/mounts/validate.go
    const [, missing] = /bind source path does not exist: (.*?)\s*$/.exec(messageOf(error)) ?? [];
    const others = mounts.filter(({ Source }) => Source !== missing);
    if (others.length === mounts.length) throw error;
    return createFor(docker, { image, mc, owner }, others);
  }
}
