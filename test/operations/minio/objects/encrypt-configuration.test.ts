import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { pack } from 'tar-stream';
import { ExternalError } from '../../../../operations/lib/errors';
import { filesInZip, zipOf } from '../../../../operations/lib/zip';
import { encryptConfiguration } from '../../../../operations/minio/objects/encrypt-configuration';

let folder: string;
let exportFile: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'ebs-encrypt-configuration-'));
  exportFile = path.join(folder, 'iam-export.zip');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Whether the file of settings is plain still. */
let plain: boolean;
const drives = [
  {
    path: '/data',
    read: async () => {
      const tar = pack();
      const content = Buffer.from('{"version":1,"secretKey":"plain"}');
      if (plain) tar.entry({ name: 'config/config.json/xl.meta' }, xlMeta(content));
      tar.finalize();
      return Promise.resolve(tar.pipe(new PassThrough()));
    },
  },
];

/** A file of MinIO with its content inline, as the end of xl.meta has it. */
function xlMeta(content: Buffer): Buffer {
  const length = Buffer.alloc(3);
  length[0] = 0xc5;
  length.writeUInt16BE(32 + content.length, 1);
  const start = Buffer.from('XL2 x-minio-internal-inline-data \u00a4null and more\u00a4null', 'latin1');
  return Buffer.concat([start, length, Buffer.alloc(32), content]);
}

/** Access keys and a group as MinIO has them: its import deletes each key, and makes it anew as enabled. */
class FakeMinio {
  keys: Record<string, string> = { AKGOOD: 'on', AKSTOLEN: 'off', AKLAST: 'off' };
  group = 'disabled';
  imports = 0;
  /** Which import ends before it makes the key that it has just deleted. */
  cutAt: string | undefined;
  readonly refused: string[] = [];

  readonly exportSettings = async () => Promise.resolve('');
  readonly importSettings = async () => Promise.resolve();
  readonly exportIam = async () =>
    Promise.resolve(
      zipOf({
        'iam-assets/svcaccts.json': JSON.stringify(
          Object.fromEntries(Object.entries(this.keys).map(([key, status]) => [key, { status }])),
        ),
        'iam-assets/groups.json': JSON.stringify({ left: { status: this.group } }),
      }),
    );
  readonly importIam = async (archive: Buffer): Promise<string[]> => {
    const files = filesInZip(archive);
    this.imports += 1;
    if (files.has('iam-assets/groups.json')) this.group = 'enabled';
    for (const key of Object.keys(JSON.parse(String(files.get('iam-assets/svcaccts.json')?.())) as object)) {
      Reflect.deleteProperty(this.keys, key);
      if (key === this.cutAt) throw new ExternalError('MinIO does not answer');
      this.keys[key] = 'on';
    }
    plain = false;
    return Promise.resolve(this.refused);
  };
  readonly disableAccessKey = async (key: string) => {
    if (!(key in this.keys)) throw new Error(`there is no ${key}`);
    this.keys[key] = 'off';
    return Promise.resolve();
  };
  readonly disableGroup = async () => {
    this.group = 'disabled';
    return Promise.resolve();
  };
}

const AS_BEFORE = { AKGOOD: 'on', AKSTOLEN: 'off', AKLAST: 'off' };

beforeEach(() => {
  plain = true;
});

test('what was disabled is disabled again, and no export is left', async () => {
  const admin = new FakeMinio();
  expect(await encryptConfiguration({ admin, drives, exportFile }, false)).toEqual({ encrypted: 1, left: [] });
  expect({ keys: admin.keys, group: admin.group }).toEqual({ keys: AS_BEFORE, group: 'disabled' });
  expect(existsSync(exportFile)).toBe(false);
});

test('after an import that was cut off, the next call makes what is lost and disables what was disabled', async () => {
  // GIVEN
  const admin = new FakeMinio();
  admin.cutAt = 'AKLAST';
  await expect(encryptConfiguration({ admin, drives, exportFile }, false)).rejects.toThrow('MinIO does not answer');
  expect({ keys: admin.keys, group: admin.group }).toEqual({
    keys: { AKGOOD: 'on', AKSTOLEN: 'on' },
    group: 'enabled',
  });
  expect(statSync(exportFile).mode & 0o777).toBe(0o600);

  // WHEN everything is encrypted already, and another key was disabled since
  admin.cutAt = undefined;
  admin.keys.AKGOOD = 'off';
  plain = false;
  expect(await encryptConfiguration({ admin, drives, exportFile }, true)).toEqual({
    encrypted: 0,
    left: ['access keys and groups are not all back after an interrupted run'],
  });
  expect(await encryptConfiguration({ admin, drives, exportFile }, false)).toEqual({ encrypted: 0, left: [] });

  // THEN
  expect({ keys: admin.keys, group: admin.group }).toEqual({
    keys: { ...AS_BEFORE, AKGOOD: 'off' },
    group: 'disabled',
  });
  expect(admin.imports).toBe(2);
  expect(existsSync(exportFile)).toBe(false);
});

test('an export stays while MinIO does not take what it holds', async () => {
  const admin = new FakeMinio();
  admin.refused.push('serviceAccounts: AKLAST');
  const { left } = await encryptConfiguration({ admin, drives, exportFile }, false);
  expect(left).toEqual(['serviceAccounts: AKLAST']);
  expect(existsSync(exportFile)).toBe(true);
});
