/** What `./scripts/check` says while something is merely stopped: one cause, the command that mends it, in seconds. */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { HttpClient } from '../../../operations/lib/net/http';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { projectRoot } from '../../../operations/lib/project-root';
import { nonDisruptive } from '../../../operations/checks/catalogue';
import { withServices } from '../../../operations/checks/context';
import { reportSchema, type Report } from '../../../operations/checks/report/model';
import { runChecks, waitForServices } from '../../../operations/checks/run-checks';
import { waitUntilActive } from '../../../operations/vault/unseal-vault';
import { output, runCommand } from '../../helpers/e2e/command';
import { measured } from '../../helpers/e2e/clients/measured';
import { openingNothing, Workbench } from '../../helpers/e2e/workbench';

/** What was promised, from the command to its exit. */
const LIMIT_SECONDS = 20;

/** Ids of the checks that need nothing beyond that service, so that they go on without the others. */
const needing = (service: 'vault' | 'kes'): string[] =>
  nonDisruptive
    .filter((check) => check.from === service || (check.from === 'deployment' && check.needs === service))
    .map(({ id }) => id);

export function describeOutages(deployment: () => LoadedEnvironment): void {
  describe('./scripts/check while something is stopped', () => {
    let bench: Workbench;
    beforeAll(async () => {
      // a program is bundled when it is started for the first time, which takes its own time
      await output(path.join(projectRoot, 'scripts', 'check'), ['--list']);
    });
    beforeEach(() => {
      bench = new Workbench(deployment());
    });
    afterEach(async () => {
      await bench.mend();
      await withServices(deployment(), undefined, waitForServices);
    });

    test.each<[string, () => Promise<unknown>, RegExp, RegExp, readonly string[]]>([
      [
        'the container of KES was removed',
        () => bench.takeAway('kes'),
        /^KES does not run: its container ebs-\S+-kes is missing$/,
        /^\.\/scripts\/up \S+ makes it again; keys and objects are in volumes, which it keeps$/,
        needing('vault'),
      ],
      [
        'MinIO was stopped',
        () => bench.stop('minio'),
        /^MinIO does not run: its container ebs-\S+-minio is exited \(exit code \d+\)$/,
        /^\.\/scripts\/up \S+ starts it again; `docker logs ebs-\S+-minio` says why it ended$/,
        [...needing('vault'), ...needing('kes')],
      ],
      [
        'Vault was stopped',
        () => bench.stop('vault'),
        /^Vault does not run: its container ebs-\S+-vault is exited \(exit code \d+\)$/,
        /^\.\/scripts\/up \S+ starts it again; `docker logs ebs-\S+-vault` says why it ended$/,
        [],
      ],
    ])('%s', async (_, stop, message, fix, stillChecked) => {
      await stop();
      const { report, seconds } = await check(deployment());
      measured('./scripts/check during an outage', seconds);
      expect(seconds).toBeLessThan(LIMIT_SECONDS);
      const failed = report.results.filter(({ status }) => status === 'failed' || status === 'could-not-check');
      expect(failed).toEqual([
        expect.objectContaining({
          id: 'services-running',
          status: 'failed',
          message: expect.stringMatching(message) as string,
          fix: expect.stringMatching(fix) as string,
        }),
      ]);
      const passed = report.results.filter(({ status }) => status === 'passed').map(({ id }) => id);
      expect(passed.sort()).toEqual([...stillChecked].sort());
      const following = report.results.filter(({ message: said }) => said === 'follows from services-running');
      const apart = report.results
        .filter(({ status }) => status === 'skipped')
        .filter((one) => !following.includes(one));
      // it would ask another Vault, and none is declared
      expect(apart.map(({ id }) => id)).toEqual(['vault-seal']);
      expect(following).toHaveLength(report.results.length - passed.length - 2);
    });

    test('MinIO starts while KES opens nothing: it refuses requests, and is as before once KES does', async () => {
      // GIVEN a KES that makes keys for MinIO, which MinIO asks for first, and opens none
      await bench.configureKes(openingNothing);
      const minio = new HttpClient(bench.realS3);
      const statusOf = async (page: string) => (await minio.send({ method: 'GET', path: page })).status;
      const READY = '/minio/health/ready';
      try {
        // WHEN
        await bench.container('minio').restart();
        await waitFor({ what: 'MinIO to run', timeoutMs: 60_000 }, async () => {
          const status = await statusOf('/minio/health/live');
          return status === 200 ? true : new NotYet(`HTTP ${status}`);
        });

        // THEN without its settings it would let root in, and encrypt nothing by default: without the guard it does a second later
        for (let look = 0; look < 20; look++) {
          expect([await statusOf('/minio/health/live'), await statusOf(READY), await statusOf('/backup/')]).toEqual([
            200, 503, 503,
          ]);
          await delay(300);
        }
        await bench.mend();
        await waitFor({ what: 'MinIO to be ready', timeoutMs: 60_000 }, async () => {
          const status = await statusOf(READY);
          return status === 200 ? true : new NotYet(`HTTP ${status}`);
        });
      } finally {
        minio.close();
      }
      const { report } = await runCheck(deployment());
      expect(report.results.filter(({ status }) => status === 'failed')).toEqual([]);
    });

    // until KES has looked at it again, up to 10 s, it says that it does not reach it
    test('the checks of a deploy wait for KES to see that Vault is back', async () => {
      const { file } = deployment();
      const vault = await bench.vaultRoot();
      await bench.container('vault').restart();
      await waitUntilActive(vault);
      jest.spyOn(process.stderr, 'write').mockReturnValue(true);
      process.env.EBS_ENVIRONMENT = file;
      await expect(runChecks()).resolves.toBeUndefined();
      delete process.env.EBS_ENVIRONMENT;
      jest.restoreAllMocks();
    });
  });
}

async function check(deployed: LoadedEnvironment): Promise<{ readonly report: Report; readonly seconds: number }> {
  const { code, ...seen } = await runCheck(deployed);
  expect(code).toBe(1);
  return seen;
}

async function runCheck({ file }: LoadedEnvironment) {
  const result = await runCommand(path.join(projectRoot, 'scripts', 'check'), [file, '--json']);
  return {
    code: result.code,
    report: reportSchema.parse(JSON.parse(result.stdout)),
    seconds: result.seconds,
  };
}
