import { namesInZip, restoreSettings, settingsNotSaved } from '../../../operations/backup/minio-settings';
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
      importBuckets: async () => {
        await note('buckets')();
        return left.shift() ?? [];
      },
    },
    restart: note('restart'),
  };
}

const archives = { iam: Buffer.from('iam'), buckets: Buffer.from('buckets') };
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
