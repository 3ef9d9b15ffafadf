import { dataUnder, type Inventory, keysIn, prefixesOf, SeenFiles, usesOf } from '../../../operations/keys/inventory';
import type { ObjectVersions } from '../../../operations/minio/drives/xl-meta';

test.each<[string, { old: string[]; third: string[] }, { prefixes: string[]; mixed: string[] }]>([
  ['nothing under the old key', { old: [], third: ['a'] }, { prefixes: [], mixed: [] }],
  ['a bucket of its own', { old: ['a', 'b/c'], third: [] }, { prefixes: [''], mixed: [] }],
  [
    'folders of its own',
    { old: ['a/1', 'a/2', 'b/x/1', 'b/x/2'], third: ['b/y/1', 'c/1'] },
    { prefixes: ['a/', 'b/x/'], mixed: [] },
  ],
  ['objects beside others', { old: ['a/1'], third: ['a/2'] }, { prefixes: ['a/1'], mixed: [] }],
  ['versions of one object under both', { old: ['a'], third: ['a'] }, { prefixes: [], mixed: ['a'] }],
  ['a name that another begins with', { old: ['a', 'b'], third: ['a2'] }, { prefixes: ['b'], mixed: ['a'] }],
  ['an object that is a folder, too', { old: ['a/'], third: ['a/b'] }, { prefixes: [], mixed: ['a/'] }],
])('%s', (_, { old, third }, expected) => {
  expect(prefixesOf(old, third)).toEqual(expected);
});

test('what is under a key counts objects, uploads and what MinIO keeps for itself', () => {
  const names = { versioned: false, s3Objects: new Map(), kmsObjects: new Map() };
  const inventory: Inventory = {
    buckets: [
      { bucket: 'a', sseS3: { old: 2 }, sseKms: { old: 1, own: 4 }, ...names },
      { bucket: 'b', sseS3: {}, sseKms: { own: 1 }, ...names },
    ],
    uploads: { old: 1 },
    own: { first: ['config/iam/format.json'], old: ['config/config.json'] },
  };

  expect(keysIn(inventory)).toEqual(['first', 'old', 'own']);
  expect(usesOf(inventory, 'old')).toBe(
    '3 versions of objects, 1 unfinished uploads, 1 files of IAM and configuration',
  );
  expect(usesOf(inventory, 'own')).toBe('5 versions of objects');
  expect(usesOf(inventory, 'unknown')).toBeUndefined();
  expect(dataUnder(inventory, 'old')).toBe('3 versions of objects, 1 unfinished uploads');
  expect(dataUnder(inventory, 'first')).toBeUndefined();
});

/** What a drive says of an object whose newest state is of this time. */
const state = (modified: number, masterKey: string, withId = false): ObjectVersions => ({
  sealings: [{ by: 'sse-s3', masterKey }],
  withId,
  modified,
  dataShards: 2,
});

test.each<[string, readonly ObjectVersions[], readonly string[]]>([
  ['copies on several drives', [state(1, 'old'), state(1, 'old'), state(1, 'old')], ['old']],
  [
    'an object that was written over in another pool',
    [state(1, 'old'), state(1, 'old'), state(2, 'new'), state(2, 'new')],
    ['new'],
  ],
  [
    'the same, where drives of the newer one are read first',
    [state(2, 'new'), state(2, 'new'), state(1, 'old')],
    ['new'],
  ],
  ['a newer state on too few drives to be read', [state(1, 'old'), state(1, 'old'), state(2, 'new')], ['old', 'new']],
  [
    'versions, of which each pool has some',
    [state(1, 'old', true), state(1, 'old', true), state(2, 'new', true), state(2, 'new', true)],
    ['old', 'new'],
  ],
])('%s', (_, copies, keys) => {
  const seen = new SeenFiles();
  expect(copies.map((copy) => seen.add('object', copy))).toEqual([true, ...copies.slice(1).map(() => false)]);
  const counted = [...seen.current()].flatMap(({ sealings }) => sealings);
  expect(counted.map((sealing) => ('masterKey' in sealing ? sealing.masterKey : sealing.by))).toEqual(keys);
});
