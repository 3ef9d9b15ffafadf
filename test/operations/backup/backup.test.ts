import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import fsPromises from 'node:fs/promises';
import path from 'node:path';
import { backUp } from '../../../operations/backup/backup';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { loaded } from '../checks/fakes';

const folder = useTemporaryFolder();
const state = () => path.join(folder(), 'state');
const backups = () => path.join(folder(), 'backups');
const place = () => ({ kind: 'file', file: path.join(backups(), 'today.age') }) as const;

/** What backups left that were killed, and what only looks like it. */
const LEFT = ['today.age.0123456789ab.tmp'];
const OTHERS = ['today.age.tmp', 'today.age.0123456789ab.tmp.txt', 'yesterday.age', 'yesterday.age.0123456789ab.tmp'];

beforeEach(() => {
  for (const made of [state(), backups(), path.join(state(), 'unfinished-backup-aB3xYz')]) mkdirSync(made);
  writeFileSync(path.join(state(), 'unfinished-backup-aB3xYz', 'backup.age'), '');
  for (const name of [...LEFT, ...OTHERS]) writeFileSync(path.join(backups(), name), '');
});
afterEach(() => {
  jest.restoreAllMocks();
});

test('without the space for it a backup is refused before anything is touched', async () => {
  // GIVEN
  const { bsize } = await fsPromises.statfs(folder());
  jest.spyOn(fsPromises, 'statfs').mockResolvedValue({ bavail: 1, bsize } as never);

  // WHEN
  const { message } = await rejectionOf(backUp(loaded(state()), place(), []));

  // THEN
  expect(message).toMatch(/^not enough disk space: 0\.1 GB needed, 0\.0 GB free\n.* for the backup in /);
  expect(readdirSync(backups()).sort()).toEqual([...LEFT, ...OTHERS].sort());
  expect(readdirSync(state())).toEqual(['unfinished-backup-aB3xYz']);
});

test('a backup removes what one before it left that was killed, and nothing else', async () => {
  // WHEN it gets as far as to look what there is to save
  const { message } = await rejectionOf(backUp(loaded(state()), place(), []));

  // THEN
  expect(message).toMatch(/^environment test is not deployed: /);
  expect(readdirSync(backups()).sort()).toEqual([...OTHERS].sort());
  expect(readdirSync(state())).toEqual([]);
});
