import { environmentSchema } from '../../../../config/environment-schema';
import { retiredKeys, retiredKeysByClient } from '../../../../operations/state/notes/retired-keys';
import { stateLayout } from '../../../../config/state/layout';
import { type Canary, writeCanaries } from '../../../../operations/state/notes/canaries';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const ENVIRONMENT = environmentSchema.parse({
  name: 'x',
  buckets: [{ name: 'archive', encryption: { type: 'sse-kms', key: 'archive-key' } }],
});
const CANARY: Canary = {
  bornAt: '2026-11-22T00:00:00.000Z',
  origin: 'created',
  ciphertext: 'c2VhbGVk',
  plaintextSha256: 'a'.repeat(64),
};

test('there are none before the first deploy', () => {
  expect(retiredKeys(ENVIRONMENT, stateLayout('x', folder()))).toEqual([]);
});

test('are the keys with a canary that the environment no longer names', () => {
  // GIVEN
  const state = stateLayout('x', folder());
  writeCanaries(state.canaries, { 'old-b': CANARY, 'archive-key': CANARY, 'backup-default': CANARY, 'old-a': CANARY });

  // THEN
  expect(retiredKeys(ENVIRONMENT, state)).toEqual(['old-a', 'old-b']);
});

test('belong to who used them: MinIO, or another client of KES, also when that is gone', () => {
  const state = stateLayout('x', folder());
  writeCanaries(state.canaries, { old: CANARY, stock: { ...CANARY, client: 'client-warehouse' } });

  expect(retiredKeysByClient(ENVIRONMENT, state)).toEqual({ minio: ['old'], 'client-warehouse': ['stock'] });
});

test('belong to nobody once an inventory found nothing under them; declared again, they are used again', () => {
  const state = stateLayout('x', folder());
  const unused = { ...CANARY, withdrawnAt: '2026-11-22T01:00:00.000Z' };
  writeCanaries(state.canaries, { 'archive-key': unused, old: CANARY, unused });

  expect(retiredKeys(ENVIRONMENT, state)).toEqual(['old', 'unused']);
  expect(retiredKeysByClient(ENVIRONMENT, state)).toEqual({ minio: ['old'], nobody: ['unused'] });
});
