import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parsePlace, requireFree, requireOtherStorage } from '../../../operations/backup/destination';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../helpers/thrown';
import { type FakeDeployment, fakeDeployment, loaded } from '../checks/fakes';

const folder = useTemporaryFolder();

test('a place is a file or an object', () => {
  expect(parsePlace('--to', '/backups/today.age')).toEqual({ kind: 'file', file: '/backups/today.age' });
  const endpoint = 'https://s3.example.net:9000';
  expect(parsePlace('--to', 's3://backups/of/today.age', { endpoint, region: 'eu-1', caFile: '/ca.crt' })).toEqual({
    kind: 's3',
    bucket: 'backups',
    key: 'of/today.age',
    endpoint,
    region: 'eu-1',
    caFile: '/ca.crt',
  });
});

test.each([
  ['s3://backups', {}, '--to: must be a path or s3://bucket/key, got: s3://backups'],
  ['s3://backups/folder/', {}, '--to: must be a path or s3://bucket/key, got: s3://backups/folder/'],
  ['ftp://host/file', {}, '--to: must be a path or s3://bucket/key, got: ftp://host/file'],
  [
    's3://backups/a',
    { endpoint: 'http://s3.example.net' },
    '--endpoint: must be an https:// address, got: http://s3.example.net',
  ],
  ['a.age', { endpoint: 'https://s3.example.net' }, '--endpoint goes with an s3:// place only, --to is a.age'],
])('%s %j is refused', (place, s3, message) => {
  expect(thrownBy(() => parsePlace('--to', place, s3)).message).toBe(message);
});

test('a file that exists is not overwritten', async () => {
  const file = path.join(folder(), 'backup.age');
  await requireFree({ kind: 'file', file });
  writeFileSync(file, 'the only good one');
  expect((await rejectionOf(requireFree({ kind: 'file', file }))).message).toBe(
    `--to: ${file} exists already and is not overwritten`,
  );
});

describe('the storage that is to be saved', () => {
  let deployment: FakeDeployment;
  beforeEach(async () => {
    deployment = await fakeDeployment(folder(), (_, response) => response.end());
  });
  afterEach(async () => {
    await deployment.close();
  });

  const place = (endpoint: string) => ({ kind: 's3', bucket: 'backups', key: 'today.age', endpoint }) as const;

  test('is refused by its address', async () => {
    const { message } = await rejectionOf(
      requireOtherStorage(place(`https://localhost:${deployment.port}`), deployment.loaded),
    );
    expect(message).toBe(
      `--to: must not be the storage that the backup is to save, got: s3://backups/today.age at https://localhost:${deployment.port}`,
    );
  });

  test('is refused by its certificate where it is reached at another address', async () => {
    // GIVEN an environment file with another port than the one by which the storage is reached here
    const elsewhere = { ...loaded(folder(), 'name: test\nminio: { port: 1 }'), state: deployment.loaded.state };
    const { message } = await rejectionOf(
      requireOtherStorage(place(`https://127.0.0.1:${deployment.port}`), elsewhere),
    );
    expect(message).toMatch(/^--to: must not be the storage that the backup is to save/);
  });

  test('another server is not', async () => {
    const other = path.join(folder(), 'other');
    mkdirSync(other);
    const server = await fakeDeployment(other, (_, response) => response.end());
    await requireOtherStorage(place(`https://127.0.0.1:${server.port}`), deployment.loaded);
    await server.close();
  });
});
