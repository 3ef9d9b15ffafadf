import { parseEnvironment } from '../../../config/load';
import { howToUnlock } from '../../../operations/terraform/state-lock';

const IN_S3 = parseEnvironment('name: home\nstate: { backend: s3, bucket: states, region: eu-central-1 }', 'home.yaml');
const HINT =
  'wait if another machine deploys. Else a killed command left the lock; remove it: docs/operations.md, "A lock in S3 after a kill"';

test.each([
  ['a deploy says', ['Error: Error acquiring the state lock', '', 'Error message: operation error S3: PutObject']],
  ['the end of a long error says', ['  hold', '  Lock Info:', '    ID:        fa5cfc35']],
])('a lock is told from %s', (_, output) => {
  expect(howToUnlock(IN_S3, output)).toBe(HINT);
});

test('nothing is said of a lock where Terraform failed for another reason', () => {
  expect(howToUnlock(IN_S3, ['Error: Unable to create container: the lock is held'])).toBeUndefined();
});

test('a local state is locked by a process, which ends with it', () => {
  const local = parseEnvironment('name: home', 'home.yaml');
  expect(howToUnlock(local, ['Error: Error acquiring the state lock'])).toBeUndefined();
});
