import { howToUnlock } from '../../../scripts/lib/state-lock';

const HINT =
  'if somebody else deploys, wait. If nobody does, a command was killed, and its lock must go: docs/operations.md, "A lock in S3 after a kill"';

test.each([
  ['a deploy says', ['Error: Error acquiring the state lock', '', 'Error message: operation error S3: PutObject']],
  ['the end of a long error says', ['  hold', '  Lock Info:', '    ID:        fa5cfc35']],
])('a lock is told from %s', (_, output) => {
  expect(howToUnlock(output)).toBe(HINT);
});

test('nothing is said of a lock where Terraform failed for another reason', () => {
  expect(howToUnlock(['Error: Unable to create container: the lock is held'])).toBeUndefined();
});
