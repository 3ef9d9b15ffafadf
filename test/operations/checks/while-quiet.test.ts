import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Report } from '../../../operations/checks/report/model';
import { whileQuiet } from '../../../operations/checks/while-quiet';
import { ExternalError } from '../../../operations/errors';
import { lockHolder, processStart } from '../../../operations/lock';
import { NotYet, waitFor } from '../../../operations/wait';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const lock = () => path.join(folder(), 'lock');
const other = spawn('sleep', ['600'], { stdio: 'ignore' });

afterAll(async () => {
  const ended = once(other, 'exit');
  other.kill('SIGKILL');
  await ended;
});

/** Another process takes the lock. */
function deploys(pid = other.pid ?? 0): void {
  const holder = {
    ...{ id: 'other', pid, started: processStart(other.pid ?? 0), what: 'deploying local' },
    ...{ command: 'up.ts local', since: '2026-01-02T03:04:05.000Z' },
  };
  writeFileSync(lock(), JSON.stringify(holder));
}
const HOLDER = () => `process ${other.pid ?? 0} (up.ts local) has been deploying local since 2026-01-02T03:04:05.000Z`;

const reportOf = (outcome: Report['outcome']): Report => ({ outcome }) as Report;

test('while another process deploys nothing is checked, and the refusal says who and since when', async () => {
  // GIVEN
  deploys();
  const run = jest.fn(async () => Promise.resolve(reportOf('passed')));

  // WHEN
  const error = await rejectionOf(whileQuiet(lock(), run));

  // THEN
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toBe(`the environment is being changed: ${HOLDER()}`);
  expect(error).toHaveProperty('hint', 'Check again when it is done.');
  expect(run).not.toHaveBeenCalled();
});

test('a lock whose process is gone is in nobody’s way', async () => {
  deploys(2 ** 22 + 1);
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
      deploys();
      return Promise.resolve(reportOf(outcome));
    });
    const error = await rejectionOf(run);
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toBe(
      `the environment was changed while it was checked, so what did not pass may mean nothing: ${HOLDER()}`,
    );
  },
);

test('so is one during which a deploy began and ended', async () => {
  // GIVEN a lock that is held when it is looked at for the second time
  deploys();
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
  expect(error.message).toContain(HOLDER());
});

test('what passed although somebody was at work, passed', async () => {
  const run = whileQuiet(lock(), async () => {
    deploys();
    return Promise.resolve(reportOf('passed'));
  });
  await expect(run).resolves.toEqual(reportOf('passed'));
});
