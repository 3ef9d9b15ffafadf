import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Pack, pack } from 'tar-stream';
import { filesOf } from '../../../../operations/checks/at-rest/drive';

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
