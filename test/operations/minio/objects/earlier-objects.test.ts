import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { followKey, readEarlierObjects } from '../../../../operations/minio/objects/earlier-objects';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const object = (masterKey: string) => ({
  key: `sse-kms/${masterKey}/1024`,
  encryption: 'aws:kms' as const,
  masterKey,
  bytes: 1024,
  sha256: 'a'.repeat(64),
  writtenAt: '2026-11-22T00:00:00.000Z',
});

test('the record follows objects whose data keys are under another master key now; their names stay', () => {
  const file = path.join(folder(), 'objects.json');
  writeFileSync(file, JSON.stringify({ version: 1, objects: [object('old'), object('other')] }));

  expect(followKey(file, { from: 'old', to: 'new' })).toBe('1 objects');

  expect(readEarlierObjects(file)).toEqual([{ ...object('old'), masterKey: 'new' }, object('other')]);
});

test('where no deploy has left objects, there is nothing to follow', () => {
  const file = path.join(folder(), 'objects.json');
  expect(followKey(file, { from: 'old', to: 'new' })).toBe('0 objects');
  expect(readEarlierObjects(file)).toEqual([]);
});
