import { dataUnder, type Inventory, keysIn, prefixesOf, usesOf } from '../../../operations/keys/inventory';

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
