import { randomBytes } from 'node:crypto';
import { provenKey } from '../../../../operations/keys/material/proven-key';
import { writeCanaries } from '../../../../operations/state/notes/canaries';
import { canaryOf, storedKey } from '../../../helpers/master-key';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';
import { loaded } from '../../checks/fakes';

const folder = useTemporaryFolder();

describe('a master key', () => {
  const key = randomBytes(32);
  const holding = (material: Buffer | undefined) => ({ read: () => Promise.resolve(material) });
  const environment = () => {
    const made = loaded(folder());
    writeCanaries(made.state.canaries, { archive: canaryOf('archive', key) });
    return made;
  };

  test('is taken when the bytes that were read open its canary', async () => {
    expect(await provenKey(holding(storedKey(key)), 'archive', environment())).toEqual(storedKey(key));
  });

  test.each([
    [
      'was replaced, even if KES still has the old one in memory',
      'archive',
      storedKey(randomBytes(32)),
      'what the key store holds as master key archive does not open its canary: it was replaced by another',
    ],
    ['is the one of another name', 'other', storedKey(key), 'master key other has no canary and cannot be verified'],
    ['is not there', 'archive', undefined, 'master key archive is not in the key store'],
  ])('is not taken when it %s', async (_, name, material, message) => {
    expect((await rejectionOf(provenKey(holding(material), name, environment()))).message).toBe(message);
  });
});
