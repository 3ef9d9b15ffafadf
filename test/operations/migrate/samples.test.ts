import { differing } from '../../../operations/migrate/samples';

test('objects that changed or vanished are named; what came since is no matter', () => {
  const before = { 'a/1': 'x', 'a/2': 'y', 'b/1': 'z' };
  expect(differing(before, { 'a/1': 'x', 'a/2': 'other', 'c/1': 'new' })).toEqual(['a/2', 'b/1']);
  expect(differing(before, { ...before, 'c/1': 'new' })).toEqual([]);
});
