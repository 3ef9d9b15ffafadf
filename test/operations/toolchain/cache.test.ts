import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../../../operations/lib/errors';
import { cacheLayout, requireOwnCache } from '../../../operations/toolchain/cache';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const isRoot = process.getuid?.() === 0;

const cache = () => cacheLayout({ XDG_CACHE_HOME: folder() });

test('a cache that is not there yet, and one of this user, are used', () => {
  requireOwnCache(cache());
  mkdirSync(cache().programs, { recursive: true });
  // the umask 002 of a group of one's own
  chmodSync(cache().programs, 0o775);
  expect(() => {
    requireOwnCache(cache());
  }).not.toThrow();
});

test.each(['root', 'programs', 'images', 'mirrors'] as const)('%s that everybody may write to is refused', (name) => {
  mkdirSync(cache()[name], { recursive: true });
  chmodSync(cache()[name], 0o777);
  const error = thrownBy(() => {
    requireOwnCache(cache());
  });
  expect(error).toBeInstanceOf(UsageError);
  expect(error).toMatchObject({
    message: `${cache()[name]} must belong to you and be writable by you only, got: owner ${process.getuid?.()}, group ${process.getgid?.()}, mode 777. What is in it is run`,
    hint: 'Remove it, or name a folder of your own by XDG_CACHE_HOME.',
  });
});

(isRoot ? test : test.skip)('one of another user is refused', () => {
  mkdirSync(cache().programs, { recursive: true });
  chownSync(cache().programs, 12_345, 12_345);
  expect(
    thrownBy(() => {
      requireOwnCache(cache());
    }).message,
  ).toContain(
    `${path.join(cache().root, 'programs')} must belong to you and be writable by you only, got: owner 12345`,
  );
});
