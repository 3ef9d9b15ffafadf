import { describeCounts, describeResult } from '../../../../operations/checks/report/text';
import { outsideReport } from '../../../helpers/reports';
import { BROKEN, reportOf, resultOf } from './samples';

test('for people, each result is a line, and a failure says what to do', () => {
  const all = [
    resultOf('passed'),
    BROKEN,
    resultOf('accepted', { message: 'a row: it is open' }),
    resultOf('skipped', { message: 'it means nothing here' }),
    resultOf('could-not-check', { message: 'connect ECONNREFUSED' }),
  ];
  expect(all.map(describeResult)).toEqual([
    '✔ is-passed  a title (1.2 s)',
    '✘ is-failed: it is broken\n  fix: mend it',
    '! is-accepted: accepted risk: a row: it is open',
    '– is-skipped  skipped: it means nothing here',
    '? is-could-not-check: could not check: connect ECONNREFUSED',
  ]);
  expect(describeCounts(reportOf(...all))).toBe(
    '1 passed, 1 failed, 1 with an accepted risk, 1 could not be checked, 1 skipped',
  );
  expect(describeCounts(reportOf(resultOf('passed')))).toBe('1 passed, 0 failed');
  expect(describeCounts(outsideReport())).toMatch(/^4 passed, 0 failed, \d+ excluded$/);
});

test('what a server answers cannot steer the terminal, and no token gets onto it', () => {
  const message = 'answered \u001b[2J\u202e token hvs.CAESIJ0123456789abcdefghij';
  expect(describeResult(resultOf('failed', { message }))).toBe(
    '✘ is-failed: answered \ufffd[2J\ufffd token [withheld: looks like a Vault token]',
  );
});
