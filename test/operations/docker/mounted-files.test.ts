import type Docker from 'dockerode';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { type MountSource, withMountedFiles } from '../../../operations/docker/mounted-files';

interface Header {
  readonly name: string;
  readonly type?: 'symlink' | 'directory';
  readonly linkname?: string;
}

/** A Docker with a volume that has an owner; it notes what was made and what was removed. */
function fakeDocker(archive?: () => Readable) {
  const seen: unknown[] = [];
  const remove = (what: string) => () => Promise.resolve(void seen.push(`${what} removed`));
  const docker = {
    importImage: () => Promise.resolve(Readable.from(['imported'])),
    getImage: () => ({ remove: remove('image') }),
    getVolume: () => ({ inspect: () => Promise.resolve({ Labels: { owner: 'demo' } }) }),
    createContainer: ({ Labels }: Docker.ContainerCreateOptions) => {
      seen.push(Labels);
      return Promise.resolve({ remove: remove('container'), getArchive: () => Promise.resolve(archive?.()) });
    },
  };
  return { docker: docker as unknown as Docker, seen };
}

// what a kill leaves here is found by `down` by that label, and would else hold the volume
test.each<[string, MountSource, Record<string, string>]>([
  ['volume belongs to the owner of the volume', { volume: 'ebs-demo-minio-data' }, { owner: 'demo' }],
  ['folder belongs to nobody, and holds nothing', { folder: '/keys' }, {}],
])('the container that mounts a %s, and goes even if its use fails', async (_, source, labels) => {
  const { docker, seen } = fakeDocker();
  const use = withMountedFiles(docker, source, 0, () => Promise.reject(new Error('disk full')));
  await expect(use).rejects.toThrow('disk full');
  expect(seen).toEqual([labels, 'container removed', 'image removed']);
});

describe('a file that MinIO could have written', () => {
  const FILE = '.minio.sys/format.json';
  const MOST = 4 * 1024 * 1024;

  async function read(...entries: [Header, string?][]): Promise<string | undefined> {
    const archive = pack();
    for (const [header, content = ''] of entries) archive.entry(header, content);
    archive.finalize();
    const { docker } = fakeDocker(() => Readable.from(archive));
    const content = await withMountedFiles(docker, { volume: 'v' }, 0, async (files) => files.read(FILE));
    return content?.toString('utf8');
  }

  test('is read', async () => {
    expect(await read([{ name: 'format.json' }, '{"id":"a"}'])).toBe('{"id":"a"}');
  });

  test('is not read where it is larger than any, however much of it comes', async () => {
    const archive = pack();
    // its content never comes to an end
    archive.entry({ name: 'format.json', size: 2 ** 40 });
    const { docker, seen } = fakeDocker(() => Readable.from(archive));
    await expect(withMountedFiles(docker, { volume: 'v' }, 0, async (files) => files.read(FILE))).rejects.toThrow(
      `${FILE} has ${2 ** 40} bytes, and at most ${MOST} are read`,
    );
    expect(seen).toContain('container removed');
  });

  test.each<[string, Header]>([
    ['a symlink, which leads wherever it says', { name: 'format.json', type: 'symlink', linkname: '/etc/shadow' }],
    ['a folder', { name: 'format.json/', type: 'directory' }],
  ])('is not %s', async (_, header) => {
    await expect(read([header], [{ name: 'format.json/x' }, 'x'])).rejects.toThrow(
      `${FILE} is a ${header.type}, and no file`,
    );
  });
});

describe('the mount itself', () => {
  async function root(...entries: [Header & { uid?: number; mode?: number }, string?][]) {
    const archive = pack();
    for (const [header, content = ''] of entries) archive.entry(header, content);
    archive.finalize();
    const { docker } = fakeDocker(() => Readable.from(archive));
    return withMountedFiles(docker, { folder: '/disk' }, 0, async (files) => files.root((name) => name === 'known'));
  }
  const MOUNT = { name: 'mounted/', type: 'directory', uid: 65532, mode: 0o700 } as const;

  test('is told by its owner, its mode, and what is in it', async () => {
    expect(await root([MOUNT])).toEqual({ isFolder: true, uid: 65532, mode: 0o700 });
    expect(await root([MOUNT], [{ name: 'mounted/known/deep' }, 'x'], [{ name: 'mounted/photos/' }])).toEqual({
      isFolder: true,
      uid: 65532,
      mode: 0o700,
      stranger: 'photos',
    });
    expect(await root([{ name: 'mounted' }, 'a file'])).toMatchObject({ isFolder: false });
  });
});
