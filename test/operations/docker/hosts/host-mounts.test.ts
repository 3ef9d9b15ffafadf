import type Docker from 'dockerode';
import { Readable } from 'node:stream';
import { hostMounts } from '../../../../operations/docker/hosts/host-mounts';
import { rejectionOf } from '../../../helpers/thrown';

const AT = { image: 'sha256:1', mc: '/usr/bin/mc', owner: { name: 'label', value: 'test' } };
const MOUNTINFO = '605 504 0:203 / / ro - overlay overlay rw\n671 605 254:0 /volume /places/0 ro - ext4 /dev/vda rw\n';

/** Docker on a host without some folders; its container prints a text. */
function dockerWithout(missing: readonly string[], text = MOUNTINFO) {
  const created: Docker.ContainerCreateOptions[] = [];
  const removed: unknown[] = [];
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, text.length]);
  const createContainer = async (options: Docker.ContainerCreateOptions): Promise<unknown> => {
    const absent = options.HostConfig?.Mounts?.find(({ Source }) => missing.includes(Source));
    if (absent !== undefined) {
      const problem = `invalid mount config for type "bind": bind source path does not exist: ${absent.Source}`;
      throw new Error(`(HTTP code 400) bad parameter - ${problem} `);
    }
    created.push(options);
    return Promise.resolve({
      attach: async () => Promise.resolve(Readable.from([Buffer.concat([header, Buffer.from(text)])])),
      start: async () => Promise.resolve(),
      remove: async (how: unknown) => {
        removed.push(how);
        return Promise.reject(Object.assign(new Error('already in progress'), { statusCode: 409 }));
      },
    });
  };
  return { docker: { createContainer } as unknown as Docker, created, removed };
}

const SOURCES = [{ volume: 'data' }, { folder: '/mnt/1' }, { folder: '/mnt/2' }];

test('each source is mounted read-only in a container that may do nothing, and that is taken away', async () => {
  const { docker, created, removed } = dockerWithout([]);
  expect(await hostMounts(docker, AT, SOURCES)).toBe(MOUNTINFO);
  expect(created).toEqual([
    expect.objectContaining({ User: '65534:65534', Labels: { label: 'test' }, Entrypoint: ['/usr/bin/mc'] }),
  ]);
  expect(created[0]?.HostConfig).toMatchObject({
    NetworkMode: 'none',
    ReadonlyRootfs: true,
    CapDrop: ['ALL'],
    AutoRemove: true,
  });
  expect(created[0]?.HostConfig?.Mounts?.map(({ Source, Target, ReadOnly }) => [Source, Target, ReadOnly])).toEqual([
    ['data', '/places/0', true],
    ['/mnt/1', '/places/1', true],
    ['/mnt/2', '/places/2', true],
  ]);
  expect(removed).toEqual([{ force: true }]);
});

test('a folder that is not there is left out, and the others keep their places', async () => {
  const { docker, created } = dockerWithout(['/mnt/1']);
  await hostMounts(docker, AT, SOURCES);
  expect(created.map(({ HostConfig }) => HostConfig?.Mounts?.map(({ Target }) => Target))).toEqual([
    ['/places/0', '/places/2'],
  ]);
});

test('whatever else Docker refuses is an error', async () => {
  const docker = { createContainer: async () => Promise.reject(new Error('no such image')) } as unknown as Docker;
  expect((await rejectionOf(hostMounts(docker, AT, SOURCES))).message).toBe('no such image');
});

test('an image without mc is an error with what was said, and the container is taken away', async () => {
  const { docker, removed } = dockerWithout([], 'mc: Unable to read');
  expect((await rejectionOf(hostMounts(docker, AT, SOURCES))).message).toBe(
    '/usr/bin/mc in sha256:1 could not read /proc/self/mountinfo: mc: Unable to read',
  );
  expect(removed).toHaveLength(1);
});
