import { environmentSchema } from '../../../config/environment-schema';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { stateLayout } from '../../../config/state/layout';
import { type Canary, writeCanaries } from '../../../operations/state/notes/canaries';
import { isRetired, successorOf } from '../../../operations/keys/rotate-master-key';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const CANARY: Canary = {
  bornAt: '2026-11-22T00:00:00.000Z',
  origin: 'created',
  ciphertext: 'c2VhbGVk',
  plaintextSha256: 'a'.repeat(64),
};

test.each<[string, boolean, string]>([
  ['a key that MinIO used once', true, 'old'],
  ['a key that MinIO uses', false, 'backup-default'],
  ['a key that was withdrawn', false, 'withdrawn'],
  ['a key of another client, which may need it still', false, 'stock'],
  ['a key that nobody knows', false, 'unknown'],
])('%s: MinIO may open by it, and no more: %s', (_, retired, key) => {
  const environment = environmentSchema.parse({ name: 'x' });
  const state = stateLayout('x', folder());
  writeCanaries(state.canaries, {
    'backup-default': CANARY,
    old: CANARY,
    withdrawn: { ...CANARY, withdrawnAt: '2026-11-23T00:00:00.000Z' },
    stock: { ...CANARY, client: 'client-warehouse' },
  });
  const loaded: LoadedEnvironment = { environment, state, file: 'x.yaml', argument: 'x.yaml' };

  expect(isRetired(loaded, key)).toBe(retired);
});

test.each([
  ['archive-key', 'archive-key-2026-11'],
  ['archive-key-2025-01', 'archive-key-2026-11'],
])('the successor of %s is %s', (key, successor) => {
  expect(successorOf(key, new Date('2026-11-22T00:00:00Z'))).toBe(successor);
});
