import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Pack, pack } from 'tar-stream';
import { filesBelow, filesOf } from '../../../../operations/checks/at-rest/drive';

const LIMIT = 8192;

async function archive(fill: (tar: Pack) => void): Promise<NodeJS.ReadableStream> {
  const tar = pack();
  fill(tar);
  tar.finalize();
  return Readable.from([await buffer(tar)]);
}

test('the files are read, and what they hold is counted', async () => {
  const read = filesOf(
    await archive((tar) => {
      tar.entry({ name: 'a', type: 'directory' });
      tar.entry({ name: 'a/b' }, 'text');
    }),
    LIMIT,
  );
  expect(await read).toEqual({ files: [{ path: 'a/b', content: Buffer.from('text') }], bytes: 4, cutOff: false });
});

test.each<[string, (tar: Pack, index: number) => void]>([
  ['one large file', (tar) => tar.entry({ name: 'large' }, Buffer.alloc(LIMIT))],
  ['empty files', (tar, index) => tar.entry({ name: String(index) }, '')],
  ['folders', (tar, index) => tar.entry({ name: String(index), type: 'directory' })],
])('reading ends at the limit, also where the archive holds %s', async (_, add) => {
  const read = filesOf(
    await archive((tar) => {
      for (let index = 0; index <= LIMIT / 512; index += 1) add(tar, index);
    }),
    LIMIT,
  );
  expect(await read).toMatchObject({ cutOff: true });
});

describe('of several drives', () => {
  const file = (content: string) => archive((tar) => tar.entry({ name: 'bucket/xl.meta' }, content));
  const drive = (path: string, read: () => Promise<NodeJS.ReadableStream>) => ({ path, read });
  const missing = Object.assign(new Error('no such folder'), { statusCode: 404 });

  test('each is read, and its files say on which they are', async () => {
    const { files, bytes, without } = await filesBelow(
      [
        drive('/drives/1', () => file('one')),
        drive('/drives/2', () => Promise.reject(missing)),
        drive('/drives/3', () => file('three')),
      ],
      'bucket',
    );
    expect(files.map(({ path, content }) => [path, content.toString()])).toEqual([
      ['/drives/1/bucket/xl.meta', 'one'],
      ['/drives/3/bucket/xl.meta', 'three'],
    ]);
    expect({ bytes, without }).toEqual({ bytes: 8, without: ['/drives/2'] });
  });

  test('a folder that none has is an error, and so is a drive that cannot be read', async () => {
    const broken = Object.assign(new Error('input/output error'), { statusCode: 500 });
    const gone = () => Promise.reject(missing);
    await expect(filesBelow([drive('/drives/1', gone), drive('/drives/2', gone)], 'bucket')).rejects.toThrow(missing);
    await expect(
      filesBelow([drive('/drives/1', () => file('one')), drive('/drives/2', () => Promise.reject(broken))], 'bucket'),
    ).rejects.toThrow(broken);
  });

  test('a single one names its files as they are on it', async () => {
    const { files } = await filesBelow([drive('/data', () => file('one'))], '.minio.sys/bucket');
    expect(files).toEqual([{ path: '.minio.sys/bucket/xl.meta', content: Buffer.from('one') }]);
  });
});
