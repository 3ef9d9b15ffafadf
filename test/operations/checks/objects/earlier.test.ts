import path from 'node:path';
import { fixOf } from '../../../../operations/checks/objects/earlier';
import { Rotation } from '../../../../operations/state/rotation';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

describe('what mends objects that are not as they were written', () => {
  const folder = useTemporaryFolder();
  const deployment = () => ({
    argument: 'demo',
    state: {
      earlierObjects: '/state/objects.json',
      rotation: path.join(folder(), 'rotation.json'),
      rotationsLog: path.join(folder(), 'rotations.log'),
    },
  });
  const RESTORE =
    'restore data and master keys from the same backup; if these objects were given up on purpose, remove ' +
    '/state/objects.json, and the next deploy leaves new ones';

  test.each([
    ['no rotation', undefined, RESTORE],
    ['a rotation that seals no data key', 'secret-id', RESTORE],
    [
      'a rotation of a master key that was interrupted',
      'master-key archive --to archive-2',
      'end the rotation that was interrupted: ./scripts/rotate master-key archive --to archive-2 demo',
    ],
  ])('%s', (_, what, expected) => {
    if (what !== undefined) Rotation.begin(deployment().state, what, 'demo');
    expect(fixOf(deployment())).toBe(expected);
  });
});
