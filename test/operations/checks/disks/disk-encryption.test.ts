import { judgePlaces, type Place, sourcesOf } from '../../../../operations/checks/disks/disk-encryption';
import { filesOfThisMachine, namesIn } from '../../../../operations/checks/disks/host-files';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';
import { loaded } from '../fakes';

const folder = useTemporaryFolder();

const LUKS: Place = { name: 'drive /mnt/1', found: { state: 'encrypted', what: 'LUKS2 /dev/mapper/one' } };
const MEMORY: Place = { name: 'swap of the Docker host, /dev/zram0', found: { state: 'memory', what: '/dev/zram0' } };
const NO_SWAP: Place = { name: 'swap of this machine', found: { state: 'none', what: 'no swap is in use' } };
const PLAIN: Place = { name: 'volume data', found: { state: 'not encrypted', what: '/dev/vda' } };
const PLAIN_LOGS: Place = { name: 'logs of containers', found: { state: 'not encrypted', what: '/dev/vda' } };
const ZFS: Place = { name: 'drive /tank', found: { state: 'cannot be told', what: 'zfs of tank' } };

const judge = async (places: readonly Place[], settings = ''): Promise<unknown> =>
  Promise.resolve().then(() => judgePlaces(places, loaded(folder(), `name: test\n${settings}`)));

const REQUIRED = 'requireDiskEncryption: true';

test('with encrypted disks, memory and no swap it passes, required or not', async () => {
  const evidence = {
    places: {
      'drive /mnt/1': { state: 'encrypted', by: 'LUKS2 /dev/mapper/one' },
      'swap of the Docker host, /dev/zram0': { state: 'memory', by: '/dev/zram0' },
      'swap of this machine': { state: 'none', by: 'no swap is in use' },
    },
  };
  expect(await judge([LUKS, MEMORY, NO_SWAP])).toEqual({ required: false, ...evidence });
  expect(await judge([LUKS, MEMORY, NO_SWAP], REQUIRED)).toEqual({ required: true, ...evidence });
});

test('a plain disk passes where nothing is required, and the evidence says so', async () => {
  expect(await judge([PLAIN, LUKS])).toEqual({
    required: false,
    places: {
      'volume data': { state: 'not encrypted', by: '/dev/vda' },
      'drive /mnt/1': { state: 'encrypted', by: 'LUKS2 /dev/mapper/one' },
    },
    note: 'not encrypted: /dev/vda (beneath volume data). docs/security.md#disk-encryption says what is plain on a disk, and how to encrypt it',
  });
});

test.each([
  ['one that is plain', [LUKS, PLAIN, PLAIN_LOGS], 'not encrypted: /dev/vda (beneath volume data, logs of containers)'],
  ['one of which nothing can be told', [LUKS, ZFS], 'cannot be told: zfs of tank (beneath drive /tank)'],
  [
    'more than can be read',
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ ...PLAIN, name })),
    'not encrypted: /dev/vda (beneath a, b, c, d and 2 more)',
  ],
  [
    'both',
    [ZFS, PLAIN],
    'not encrypted: /dev/vda (beneath volume data); cannot be told: zfs of tank (beneath drive /tank)',
  ],
])('where encryption is required it fails for %s, with device, places and fix', async (_, places, message) => {
  const failure = await rejectionOf(judge(places, REQUIRED));
  expect(failure).toMatchObject({
    name: 'CheckFailure',
    message,
    fix: expect.stringMatching(
      /^put it on LUKS, .* remove requireDiskEncryption from \/project\/environments\/test.yaml/,
    ) as string,
    evidence: { required: true },
  });
});

const placesOf = (text: string): string[] =>
  sourcesOf(loaded(folder(), `name: test\n${text}`).environment).map(({ name }) => name);

test('the places are every volume of the deployment, among them those with private keys', () => {
  expect(placesOf('')).toEqual([
    'drive ebs-test-minio-data',
    ...['minio-files', 'kes-files', 'vault-data', 'vault-audit', 'vault-files', 'vault-unsealer-files'].map(
      (name) => `volume ebs-test-${name}`,
    ),
  ]);
});

test('several drives, a manual unseal and master keys in files change the places', () => {
  expect(
    placesOf('minio: { drives: [/mnt/1, /mnt/2, /mnt/3, /mnt/4] }\nvault: { mode: embedded, unseal: manual }'),
  ).toEqual([
    ...['/mnt/1', '/mnt/2', '/mnt/3', '/mnt/4'].map((path) => `drive ${path}`),
    ...['minio-files', 'kes-files', 'vault-data', 'vault-audit', 'vault-files'].map(
      (name) => `volume ebs-test-${name}`,
    ),
  ]);
  const inFiles = ['drive ebs-test-minio-data', 'volume ebs-test-minio-files', 'volume ebs-test-kes-files'];
  expect(placesOf('keyStore: { type: filesystem }')).toEqual([...inFiles, 'volume ebs-test-kes-keys']);
  expect(placesOf('keyStore: { type: filesystem, path: /srv/keys }')).toEqual([...inFiles, 'master keys /srv/keys']);
});

test('this machine: the mount of a folder is that of the folder above it, and a missing folder has none', async () => {
  const host = filesOfThisMachine();
  expect(await host.mountOf(folder())).toBeDefined();
  expect(await host.mountOf(`${folder()}/missing`)).toBeUndefined();
  expect(await host.read(`${folder()}/missing`)).toBeUndefined();
  expect(await host.list(`${folder()}/missing`)).toEqual([]);
});

test('names are taken from what mc lists as JSON, and anything else is passed over', () => {
  const lines = [
    '{"status":"success","type":"folder","lastModified":"2026-01-02T03:04:05Z","size":0,"key":"dm-0/","etag":"","url":"/sys/"}',
    '{"status":"error","error":{"message":"Unable to list folder."}}',
    'nonsense',
    '',
  ];
  expect(namesIn(lines.join('\n'))).toEqual(['dm-0']);
});
