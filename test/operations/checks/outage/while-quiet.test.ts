import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Report } from '../../../../operations/checks/report/model';
import { whileQuiet } from '../../../../operations/checks/outage/while-quiet';
import { ExternalError } from '../../../../operations/lib/errors';
import { type Lock, lockHolder, tryLock } from '../../../../operations/lib/lock';
import { NotYet, waitFor } from '../../../../operations/lib/wait';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const lock = () => path.join(folder(), 'lock');
const held: Lock[] = [];

afterEach(() => {
  for (const lock of held.splice(0)) lock.release();
});

/** Somebody takes the lock. */
async function deploys(): Promise<void> {
  const taken = await tryLock(lock(), 'deploying local');
  if (!('release' in taken)) throw new Error('the lock is taken');
  held.push(taken);
}
const HOLDER = new RegExp(`process ${process.pid} \\(.*\\) has been deploying local since \\d{4}-`);

const reportOf = (outcome: Report['outcome']): Report => ({ outcome }) as Report;

test('while another process deploys nothing is checked, and the refusal says who and since when', async () => {
  // GIVEN
  await deploys();
  const run = jest.fn(async () => Promise.resolve(reportOf('passed')));

  // WHEN
  const error = await rejectionOf(whileQuiet(lock(), run));

  // THEN
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toMatch(/^the environment is being changed: /);
  expect(error.message).toMatch(HOLDER);
  expect(error).toHaveProperty('hint', 'Check again when it is done.');
  expect(run).not.toHaveBeenCalled();
});

test('a lock whose process is gone is in nobody’s way', async () => {
  await deploys();
  const left = readFileSync(lock());
  held.pop()?.release();
  writeFileSync(lock(), left);
  await expect(whileQuiet(lock(), async () => Promise.resolve(reportOf('failed')))).resolves.toEqual(
    reportOf('failed'),
  );
});

test.each(['failed', 'could-not-check'] as const)('what %s while nobody was at work is the result', async (outcome) => {
  await expect(whileQuiet(lock(), async () => Promise.resolve(reportOf(outcome)))).resolves.toEqual(reportOf(outcome));
});

test.each(['failed', 'could-not-check'] as const)(
  'a run that a deploy overtook and that %s is thrown away',
  async (outcome) => {
    const run = whileQuiet(lock(), async () => {
      await deploys();
      return reportOf(outcome);
    });
    const error = await rejectionOf(run);
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toMatch(
      /^the environment was changed while it was checked, so what did not pass may mean nothing: /,
    );
    expect(error.message).toMatch(HOLDER);
  },
);

test('so is one during which a deploy began and ended', async () => {
  // GIVEN a lock that is held when it is looked at for the second time
  await deploys();
  const holder = await lockHolder(lock());
  let looks = 0;
  const holderOf = async (): Promise<typeof holder> => Promise.resolve(++looks === 2 ? holder : undefined);

  // WHEN
  const run = async (): Promise<Report> => {
    await waitFor({ what: 'further looks', timeoutMs: 10_000, intervalMs: 5 }, async () =>
      Promise.resolve(looks > 2 ? true : new NotYet(`${looks} looks`)),
    );
    return reportOf('failed');
  };
  const error = await rejectionOf(whileQuiet(lock(), run, { pollMs: 1, holderOf }));

  // THEN
  expect(error.message).toMatch(HOLDER);
});

test('what passed although somebody was at work, passed', async () => {
  const run = whileQuiet(lock(), async () => {
    await deploys();
    return reportOf('passed');
  });
  await expect(run).resolves.toEqual(reportOf('passed'));
});
