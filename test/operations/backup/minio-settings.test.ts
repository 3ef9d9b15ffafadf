import { deflateRawSync } from 'node:zlib';
import { disabledIn, namesInZip, restoreSettings, settingsNotSaved } from '../../../operations/backup/minio-settings';
import { ExternalError } from '../../../operations/lib/errors';
import { RefusedByMinio } from '../../../operations/minio/minio-admin';
import { rejectionOf } from '../../helpers/thrown';

const nothing = {
  replicates: () => Promise.resolve(false),
  tiers: () => Promise.resolve([]),
  replicatesSites: () => Promise.resolve(false),
};

/** Of backup/policy.json and archive/replication.xml. */
const ZIP =
  '504b030414000000000000002100000000000000000000000000120000006261636b75702f706f6c6963792e6a736f6e504b0304140000000000000021008316dc8c010000000100000017000000617263686976652f7265706c69636174696f6e2e786d6c78504b01021403140000000000000021000000000000000000000000001200000000000000000000008001000000006261636b75702f706f6c6963792e6a736f6e504b01021403140000000000000021008316dc8c0100000001000000170000000000000000000000800130000000617263686976652f7265706c69636174696f6e2e786d6c504b0506000000000200020085000000660000000000';

test('the files of a ZIP archive are known by name', () => {
  expect(namesInZip(Buffer.from(ZIP, 'hex'))).toEqual(['backup/policy.json', 'archive/replication.xml']);
  expect(() => namesInZip(Buffer.from('not a ZIP archive, whatever it is'))).toThrow('it has no central directory');
});

test.each([
  ['settings that every export holds', nothing, ['backup/policy.json', 'backup/notification.xml'], []],
  [
    'replication, also to a target that no rule names',
    { ...nothing, replicates: (bucket: string) => Promise.resolve(bucket !== 'b') },
    ['a/replication.xml', 'a/bucket-targets.json', 'b/lifecycle.xml', 'b/bucket-targets.json', 'c/bucket-targets.json'],
    ['replication of bucket a: its rules and its targets', 'replication of bucket c: its rules and its targets'],
  ],
  [
    'tiers and site replication',
    { ...nothing, tiers: () => Promise.resolve(['COLD']), replicatesSites: () => Promise.resolve(true) },
    [],
    ['tier COLD: its address and credentials', 'site replication'],
  ],
])('what a backup does not save is named: %s', async (_, admin, files, named) => {
  expect(await settingsNotSaved(admin, files)).toEqual(named);
});

/** A ZIP archive, as Go's `zip.Writer` makes it: deflated, with sizes in the central directory. */
function zipOf(files: Record<string, string>): Buffer {
  const [local, central]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const [name, text] of Object.entries(files)) {
    const packed = deflateRawSync(text);
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    local.push(header, Buffer.from(name), packed);
    central.push(entry, Buffer.from(name));
    at += 30 + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...local, ...central, end]);
}

/** A MinIO that notes what is asked of it, and knows the targets of events some time after its start. */
function minio(settings: string, refusals: readonly string[][] = []) {
  const asked: string[] = [];
  const left = [...refusals];
  const note = (what: string) => async () => {
    asked.push(what);
    return Promise.resolve();
  };
  return {
    asked,
    admin: {
      exportSettings: () => Promise.resolve(settings),
      importSettings: note('settings'),
      importIam: async (): Promise<string[]> => {
        await note('iam')();
        return [];
      },
      disableAccessKey: async (name: string) => note(`off: ${name}`)(),
      disableGroup: async (name: string) => note(`disabled: ${name}`)(),
      importBuckets: async () => {
        await note('buckets')();
        return left.shift() ?? [];
      },
    },
    restart: note('restart'),
  };
}

const archives = { iam: zipOf({ 'iam-assets/svcaccts.json': 'null' }), buckets: Buffer.from('buckets') };
const WEBHOOK = 'notify_webhook:later endpoint=https://hook.example';
const UNKNOWN = 'backup: notification: A specified destination ARN does not exist or is not well-formed.';

test.each([
  ['a backup of an early version', undefined, ['iam', 'buckets']],
  ['the settings that a new MinIO has', 'api requests_max=0', ['iam', 'buckets']],
  ['other settings', 'api requests_max=7', ['settings', 'restart', 'iam', 'buckets']],
  ['targets of events', WEBHOOK, ['settings', 'restart', 'iam', 'buckets', 'restart']],
])('restoring %s', async (_, settings, expected) => {
  const { admin, restart, asked } = minio('api requests_max=0');
  expect(await restoreSettings(admin, { settings, ...archives }, restart)).toEqual([]);
  expect(asked).toEqual(expected);
});

test('a part of which variables give every value is left out: MinIO would refuse all others because of it', async () => {
  const { admin, restart } = minio('');
  const importSettings = jest.fn().mockResolvedValue(undefined);
  const settings = '# MINIO_STORAGE_CLASS_STANDARD=EC:1\nstorage_class \napi root_access=off\n';
  expect(await restoreSettings({ ...admin, importSettings }, { settings, ...archives }, restart)).toEqual([]);
  expect(importSettings).toHaveBeenCalledWith('# MINIO_STORAGE_CLASS_STANDARD=EC:1\napi root_access=off\n');
});

const IAM = zipOf({
  'iam-assets/users.json': '{"u":{"status":"disabled"}}',
  'iam-assets/groups.json': '{"staff":{"version":1,"status":"enabled"},"left":{"version":1,"status":"disabled"}}',
  'iam-assets/svcaccts.json': '{"AKGOOD":{"status":"on"},"AKLEAKED":{"status":"off"}}',
});

test('what was disabled is disabled again, before anything else is done; of users MinIO keeps it', async () => {
  const { admin, restart, asked } = minio('');
  expect(await restoreSettings(admin, { settings: '', ...archives, iam: IAM }, restart)).toEqual([]);
  expect(asked).toEqual(['iam', 'off: AKLEAKED', 'disabled: left', 'buckets']);
});

test('what MinIO does not disable is said', async () => {
  const { admin, restart, asked } = minio('');
  const refusing = { ...admin, disableAccessKey: () => Promise.reject(new RefusedByMinio('HTTP 403', 403)) };
  expect(await restoreSettings(refusing, { settings: '', ...archives, iam: IAM }, restart)).toEqual([
    'access key AKLEAKED was disabled: HTTP 403',
  ]);
  expect(asked).toEqual(['iam', 'disabled: left', 'buckets']);
});

test('a file in an archive that grows without end is not unpacked to the end', () => {
  const bomb = zipOf({ 'iam-assets/groups.json': `{"a":{"status":"${'0'.repeat(65 * 1024 * 1024)}"}}` });
  expect(bomb.length).toBeLessThan(1024 * 1024);
  expect(() => disabledIn(bomb)).toThrow('Cannot create a Buffer larger than 67108864 bytes');
});

test('a rule for events waits for its target, and what MinIO refuses for good is said', async () => {
  const life = 'archive: lifecycle: the tier COLD does not exist';
  const { admin, restart, asked } = minio('', [[UNKNOWN, life], [life]]);
  expect(await restoreSettings(admin, { settings: WEBHOOK, ...archives }, restart)).toEqual([life]);
  expect(asked).toEqual(['settings', 'restart', 'iam', 'buckets', 'buckets', 'restart']);
});

test('settings of the server that MinIO refuses keep neither users nor buckets away, and are said', async () => {
  const { admin, restart, asked } = minio('');
  const refusing = {
    ...admin,
    importSettings: () =>
      Promise.reject(new RefusedByMinio('PUT /minio/admin/v3/config: HTTP 400: no OpenID provider')),
    importIam: async () => Promise.resolve(['users: gone']),
  };
  expect(await restoreSettings(refusing, { settings: WEBHOOK, ...archives }, restart)).toEqual([
    'settings of the server: PUT /minio/admin/v3/config: HTTP 400: no OpenID provider',
    'users: gone',
  ]);
  expect(asked).toEqual(['buckets']);
});

test('a MinIO that does not answer ends a restore: it goes on when called again', async () => {
  const { admin, restart } = minio('');
  const silent = { ...admin, importSettings: () => Promise.reject(new ExternalError('MinIO does not answer')) };
  const error = await rejectionOf(restoreSettings(silent, { settings: WEBHOOK, ...archives }, restart));
  expect(error.message).toBe('MinIO does not answer');
});
