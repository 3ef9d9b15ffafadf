import { editKeys } from '../../../operations/keys/environment-file';

const FILE = `# of the archive
name: unit
minio:
  defaultKey: backup-default # of everything else
buckets:
  - name: archive
    encryption:
      type: sse-kms
      key: archive-key # for years
`;

test('the new key stands where the old one stood, further keys at the end, and every comment stays', () => {
  expect(editKeys(FILE, 'unit.yaml', { from: 'archive-key', to: 'archive-2', keys: ['archive-key'] })).toBe(
    FILE.replace('archive-key #', 'archive-2 #').replace('else\n', 'else\n  keys:\n    - archive-key\n'),
  );
});

test('keys that nobody needs any more leave nothing behind', () => {
  const during = editKeys(FILE, 'unit.yaml', { from: 'archive-key', to: 'archive-key', keys: ['a', 'b'] });
  expect(during).toBe(FILE.replace('else\n', 'else\n  keys:\n    - a\n    - b\n'));
  expect(editKeys(during, 'unit.yaml', { from: 'archive-key', to: 'archive-key', keys: [] })).toBe(FILE);
});

test('what was written for the keys alone goes with them', () => {
  const file = FILE.replace(/minio:\n.*\n/, '');
  const during = editKeys(file, 'unit.yaml', { from: 'archive-key', to: 'archive-key', keys: ['a'] });
  expect(during).toBe(`${file}minio:\n  keys:\n    - a\n`);
  expect(editKeys(during, 'unit.yaml', { from: 'archive-key', to: 'archive-key', keys: [] })).toBe(file);
});

test('a default key that the file leaves out is written into it', () => {
  expect(editKeys('name: unit\n', 'unit.yaml', { from: 'backup-default', to: 'backup-2', keys: [] })).toBe(
    'name: unit\nminio:\n  defaultKey: backup-2\n',
  );
});

test('a key that an alias repeats is another in both places', () => {
  const aliased = `name: unit
buckets:
  - name: one
    encryption: &archive { type: sse-kms, key: archive-key }
  - name: two
    encryption: *archive
`;
  expect(editKeys(aliased, 'unit.yaml', { from: 'archive-key', to: 'archive-2', keys: [] })).toBe(
    aliased.replace('archive-key', 'archive-2'),
  );
});
