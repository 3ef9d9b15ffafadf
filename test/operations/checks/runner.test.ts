import { CheckFailure } from '../../../operations/checks/check';
import { type BoundCheck, type CheckResult, runAll } from '../../../operations/checks/runner';
import { rejectionOf } from '../../helpers/thrown';
import { check } from './fakes';

/** A promise that is kept open by whoever holds it. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open };
}

test('no more checks are under way than allowed, and results come in the order of the catalogue', async () => {
  let running = 0;
  let most = 0;
  const gates = Array.from({ length: 6 }, gate);
  const checks = gates.map(({ passed }, index) =>
    check(`check-${index}`, async () => {
      most = Math.max(most, ++running);
      await passed;
      running--;
      return { index };
    }),
  );
  const told: string[] = [];
  const run = runAll(checks, { concurrency: 3, onResult: ({ id }) => told.push(id) });
  // the first ends last of its three
  for (const index of [2, 1, 0, 5, 4, 3]) {
    gates[index]?.open();
    await new Promise(setImmediate);
    if (index === 1) expect(told).toEqual([]);
  }
  const results = await run;
  const ids = checks.map(({ id }) => id);
  expect(results.map(({ id }) => id)).toEqual(ids);
  expect(told).toEqual(ids);
  expect(most).toBe(3);
});

test('checks that interrupt service run one after another, when all others are done', async () => {
  const under: string[] = [];
  const together: string[][] = [];
  const noted = (id: string): BoundCheck['run'] => {
    return async () => {
      under.push(id);
      together.push([...under]);
      await new Promise(setImmediate);
      under.splice(under.indexOf(id), 1);
      return {};
    };
  };
  const results = await runAll([
    check('outage', noted('outage'), { disruptive: true }),
    check('one', noted('one')),
    check('another outage', noted('another outage'), { disruptive: true }),
    check('two', noted('two')),
  ]);
  expect(together).toEqual([['one'], ['one', 'two'], ['outage'], ['another outage']]);
  expect(results.map(({ id }) => id)).toEqual(['outage', 'one', 'another outage', 'two']);
});

test('a failure, an error, a check that means nothing and a pass are told apart', async () => {
  const [passed, failed, unknown, threwAtOnce, skipped] = await runAll([
    check('passes', async () => Promise.resolve({ bytes: 1 })),
    check('fails', async () => Promise.reject(new CheckFailure('it is broken', 'mend it', { seen: 'a crack' }))),
    check('errs', async () => Promise.reject(new Error('wrong version\n  number:\n'))),
    check('throws', () => {
      throw new TypeError('not even a promise');
    }),
    check('skipped', async () => Promise.reject(new Error('must not run')), {
      skipReason: 'not here',
    }),
  ]);
  expect(passed).toEqual({
    id: 'passes',
    title: 'title of passes',
    proves: 'something',
    doesNotProve: 'all',
    severity: 'high',
    status: 'passed',
    durationMs: expect.any(Number) as number,
    evidence: { bytes: 1 },
  });
  expect(failed).toMatchObject<Partial<CheckResult>>({
    status: 'failed',
    message: 'it is broken',
    fix: 'mend it',
    evidence: { seen: 'a crack' },
  });
  expect(unknown).toMatchObject({ status: 'could-not-check', message: 'wrong version number:' });
  expect(threwAtOnce).toMatchObject({ status: 'could-not-check', message: 'not even a promise' });
  expect(skipped).toMatchObject({ status: 'skipped', message: 'not here' });
});

test('a check that does not end could not check', async () => {
  const [result] = await runAll([check('hangs', async () => gate().passed.then(() => ({})))], {
    timeLimitMs: 20,
  });
  expect(result).toMatchObject({ status: 'could-not-check', message: 'it did not end within 0.02 s' });
});

test('an ended run begins no other check and waits for none', async () => {
  const interruption = new AbortController();
  const begun: string[] = [];
  const hanging = (id: string) =>
    check(id, async () => {
      begun.push(id);
      if (id === 'second') interruption.abort(new Error('interrupted by SIGINT'));
      return gate().passed.then(() => ({}));
    });
  const run = runAll(['first', 'second', 'third'].map(hanging), {
    concurrency: 2,
    signal: interruption.signal,
  });
  expect((await rejectionOf(run)).message).toBe('interrupted by SIGINT');
  expect(begun).toEqual(['first', 'second']);
});
