import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { ExternalError } from '../../operations/errors';
import { readCredentials } from '../../operations/s3-client';
import { useTemporaryFolder } from '../helpers/temporary-folder';
import { thrownBy } from '../helpers/thrown';

describe('a file of credentials', () => {
  const folder = useTemporaryFolder();
  const file = () => path.join(folder(), 'root.json');

  test('is read', () => {
    writeFileSync(file(), '{"accessKey":"root1","secretKey":"secret-of-root"}');
    expect(readCredentials(file())).toEqual({ accessKey: 'root1', secretKey: 'secret-of-root' });
  });

  test.each(['secret-of-root', '{"accessKey":"root1","secretKey":"secret-of-root"', '{"secretKey":"secret-of-root"}'])(
    'that is not whole is named and never quoted: %s',
    (text) => {
      writeFileSync(file(), text);
      const error = thrownBy(() => readCredentials(file()));
      expect(error).toBeInstanceOf(ExternalError);
      expect(error.message).toBe(`${file()} does not hold {accessKey, secretKey}`);
    },
  );
});
