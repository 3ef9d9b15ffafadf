import { chmodSync, type Stats, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../../../operations/lib/errors';
import { requireKeyFolder } from '../../../operations/keys/key-folder-preflight';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const ownedBy =
  (uid: number) =>
  (file: string): Stats =>
    Object.assign(statSync(file), { uid });

test('a folder that only KES can enter is good', () => {
  requireKeyFolder(folder(), ownedBy(65532));
});

test.each<[string, (root: string) => string, number, string]>([
  ['it is not there', (root) => path.join(root, 'none'), 65532, 'which cannot be looked at (ENOENT)'],
  [
    'it is a file',
    (root) => {
      writeFileSync(path.join(root, 'file'), '');
      return path.join(root, 'file');
    },
    65532,
    'which is no folder',
  ],
  ['it is someone else’s', (root) => root, 0, 'which belongs to user 0'],
  [
    'others may look into it',
    (root) => {
      chmodSync(root, 0o755);
      return root;
    },
    65532,
    'with mode 0755',
  ],
])('is refused when %s', (_, prepare, uid, got) => {
  const file = prepare(folder());
  const error = thrownBy(() => {
    requireKeyFolder(file, ownedBy(uid));
  });
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(
    `keyStore.path: must be a folder of this host that user 65532 alone can enter, got: ${file}, ${got}`,
  );
  expect(error).toHaveProperty('hint', `install -d -o 65532 -g 65532 -m 700 ${file}`);
});
