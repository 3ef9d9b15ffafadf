import { PassThrough } from 'node:stream';
import { pack } from 'tar-stream';
import { atRestChecks } from '../../../../operations/checks/at-rest/at-rest';
import type { CheckResult } from '../../../../operations/checks/runner';
import { contextWith, loaded, resultOf } from '../fakes';

const FORMAT = Buffer.from('{"version":1}');
const PLAIN = Buffer.from('{"version":1,"secretKey":"plain"}');

/** Content as MinIO encrypts it. */
function sealed(key: string, ciphertext = Buffer.alloc(100, 0xee)): Buffer {
  const nonce = Buffer.alloc(12).toString('base64');
  const json = Buffer.from(JSON.stringify({ keyid: key, kmskey: nonce, algorithm: 'AES-256-GCM', nonce }));
  const header = Buffer.alloc(5);
  header[0] = 1;
  header.writeUInt32LE(json.length, 1);
  return Buffer.concat([header, json, ciphertext]);
}

/** A file of MinIO with its content inline, as the end of xl.meta has it. */
function xlMeta(content: Buffer): Buffer {
  const length = Buffer.alloc(3);
  length[0] = 0xc5;
  length.writeUInt16BE(32 + content.length, 1);
  const metadata = Buffer.from('XL2 x-minio-internal-inline-data \u00a4null and more', 'latin1');
  return Buffer.concat([metadata, Buffer.from('\u00a4null', 'latin1'), length, Buffer.alloc(32), content]);
}

async function run(files: Readonly<Record<string, Buffer>>): Promise<CheckResult> {
  const context = {
    ...contextWith(loaded('/nonexistent/state', 'name: test\nminio: { defaultKey: backup-default }'), () => undefined),
    drives: [
      {
        path: '/data',
        read: async () => {
          const tar = pack();
          for (const [name, content] of Object.entries(files)) tar.entry({ name: `config/${name}` }, content);
          tar.finalize();
          return Promise.resolve(tar.pipe(new PassThrough()));
        },
      },
    ],
  };
  return resultOf(atRestChecks, 'configuration-on-disk', context);
}

const CONFIG = { 'config.json/xl.meta': xlMeta(sealed('backup-default')) };

test('what is sealed under a known key passes, inline and in a part file', async () => {
  const result = await run({
    ...CONFIG,
    // ciphertext may look like anything
    'iam/format.json/xl.meta': xlMeta(sealed('backup-default', Buffer.from('\u00a4null\u00c4\u0001', 'latin1'))),
    'iam/policydb/xl.meta': Buffer.from('XL2 without content'),
    'iam/policydb/1234/part.1': Buffer.concat([Buffer.alloc(32), sealed('backup-default')]),
  });
  expect(result).toMatchObject({ status: 'passed', evidence: { files: 3, sealedUnder: { 'backup-default': 3 } } });
});

test('the number of a format is no secret, where MinIO keeps it', async () => {
  expect(await run({ ...CONFIG, 'iam/format.json/xl.meta': xlMeta(FORMAT) })).toMatchObject({ status: 'passed' });
});

test.each([
  ['the number of a format anywhere else', { 'iam/x.json/xl.meta': xlMeta(FORMAT) }, 'x.json/xl.meta is not encrypted'],
  ['plaintext inline', { 'iam/format.json/xl.meta': xlMeta(PLAIN) }, 'format.json/xl.meta is not encrypted'],
  [
    'plaintext in a file',
    { 'iam/x/1/part.1': Buffer.concat([Buffer.alloc(32), PLAIN]) },
    'x/1/part.1 is not encrypted',
  ],
  [
    'a key of somebody else',
    { 'iam/format.json/xl.meta': xlMeta(sealed('a-strange-key')) },
    'format.json/xl.meta is encrypted under a-strange-key, which is no key of this environment',
  ],
])('%s fails', async (_, files: Readonly<Record<string, Buffer>>, message) => {
  expect(await run({ ...CONFIG, ...files })).toMatchObject({
    status: 'failed',
    message: `.minio.sys/config/iam/${message}`,
  });
});

test('without its settings nothing is said about the drive', async () => {
  expect(await run({})).toMatchObject({
    status: 'could-not-check',
    message: expect.stringMatching(/no config\.json/) as string,
  });
});
