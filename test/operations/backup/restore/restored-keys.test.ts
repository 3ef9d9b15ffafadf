import path from 'node:path';
import { declaredPlace } from '../../../../config/keys/key-store-place';
import { writeKeyStoreNote } from '../../../../operations/state/notes/key-store-note';
import { parseEnvironment } from '../../../../config/load';
import { stateLayout } from '../../../../config/state/layout';
import { keyStoreBefore } from '../../../../operations/backup/restore/restored-keys';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();

function keysIn(place: string) {
  const file = 'demo.yaml';
  const environment = parseEnvironment(`name: demo\nkeyStore: { type: filesystem, path: ${place} }`, file);
  return { environment, file, argument: file, state: stateLayout('demo', path.join(folder(), 'state')) };
}

test.each<[string, string | undefined, boolean]>([
  ['is asked where the state says that it is the one of before', '/keys', true],
  ['is not asked where the keys were elsewhere', '/other', false],
  ['is not asked where nobody knows', undefined, false],
])('the key store %s', async (_, before, asked) => {
  const target = keysIn('/keys');
  if (before !== undefined) writeKeyStoreNote(target.state.keyStore, declaredPlace(keysIn(before).environment, {}));
  expect((await keyStoreBefore(target).open()) !== undefined).toBe(asked);
});
