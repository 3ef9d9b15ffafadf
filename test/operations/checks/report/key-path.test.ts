import { catalogue } from '../../../../operations/checks/catalogue';
import { KEY_PATH, stateOf } from '../../../../operations/checks/report/key-path';
import type { CheckStatus } from '../../../../operations/checks/runner';
import { reportOf, resultOf } from './samples';

const guards: readonly string[] = Object.values(KEY_PATH).flatMap((part) => part.guards);
const ids = catalogue.map(({ id }) => id);

test('every check of the catalogue guards a part of the key path; else name it in KEY_PATH', () => {
  expect(ids.filter((id) => !guards.includes(id))).toEqual([]);
});

test('every check that guards a part is in the catalogue', () => {
  expect(guards.filter((id) => !ids.includes(id))).toEqual([]);
});

test.each<[CheckStatus[], string, string]>([
  [['passed', 'passed'], 'passed', '2 of 2 passed'],
  [['passed', 'skipped'], 'passed', '1 of 1 passed'],
  [['passed', 'could-not-check'], 'could-not-check', '1 of 2 unknown'],
  [['passed', 'accepted'], 'accepted', '1 of 2 accepted'],
  [['failed', 'accepted'], 'failed', '1 of 2 failed'],
  [['failed', 'could-not-check'], 'failed', '1 of 2 failed'],
  [['skipped', 'skipped'], 'unchecked', 'not checked'],
  [[], 'unchecked', 'not checked'],
])('of a part whose guards came out %j the diagram says %s', (statuses, status, words) => {
  const results = statuses.map((one, index) => resultOf(one, { id: `guard-${index}` }));
  const report = reportOf(...results, resultOf('failed', { id: 'of-another-part' }));
  const part = { name: 'part', role: 'none', guards: ['guard-0', 'guard-1'] };
  expect(stateOf(part, report)).toEqual({ status, words });
});

test('a part whose guards were not all run does not look as if they were', () => {
  const leftOut = [{ id: 'guard-1', title: 'a title', reason: 'it needs the drive' }];
  const report = { ...reportOf(resultOf('passed', { id: 'guard-0' })), leftOut };
  const part = { name: 'part', role: 'none', guards: ['guard-0', 'guard-1'] };
  expect(stateOf(part, report)).toEqual({ status: 'passed', words: '1 passed, 1 excluded' });
});
