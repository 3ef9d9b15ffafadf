/**
 * Proof that the checks can fail: what each of them guards is broken in a real deployment, and that check, and no other
 * one, turns red and says what and why. How to add a fault is said in ../planted-faults/planted-fault.ts.
 */
import path from 'node:path';
import type { LoadedEnvironment } from '../../../config/load';
import { projectRoot } from '../../../config/toolchain';
import { catalogue, isDisruptive, undisturbing } from '../../../operations/checks/catalogue';
import type { Check } from '../../../operations/checks/check';
import { checkEnvironment } from '../../../operations/checks/check-environment';
import type { Report } from '../../../operations/checks/report/model';
import { mustSucceed, runCommand } from '../../helpers/e2e/command';
import { Workbench } from '../../helpers/e2e/workbench';
import { plantedFaults } from '../planted-faults';
import type { PlantedFault } from '../planted-faults/planted-fault';

/** What is changed where a fix of kes-configuration and one of vault-policies must put it back. */
const MENDED_BY_THEIR_FIX = ['KES knows a client that nobody declared', 'the provisioner may read the master keys'];

export function describePlantedFaults(deployment: () => LoadedEnvironment): void {
  describe('a planted fault', () => {
    let bench: Workbench;

    beforeEach(() => {
      bench = new Workbench(deployment());
    });
    afterEach(async () => {
      await bench.mend();
    });

    test('before any, also through a gateway that changes nothing, every check passes', async () => {
      await bench.gateway();
      expect(redOf(await checkEnvironment(deployment()))).toEqual({});
      expect(redOf(await runChecks(bench, undisturbing))).toEqual({});
    });

    test.each(plantedFaults.map((fault) => [fault.name, fault] as const))('%s', async (_, fault) => {
      await fault.plant(bench);
      const report = await runChecks(bench, checksFor(fault));
      const { red, alsoRed = {} } = fault;
      const found = redOf(report);
      expect(omit(found, Object.keys({ ...red, ...alsoRed }))).toEqual({});
      expect(Object.keys(found)).toEqual(expect.arrayContaining(Object.keys({ ...red, ...alsoRed })));
      for (const [id, { message, fix }] of Object.entries(red)) {
        expect(report.results.find((result) => result.id === id)).toMatchObject({
          status: 'failed',
          message: expect.stringMatching(message) as string,
          fix: expect.stringMatching(fix) as string,
        });
      }
    });

    test('is mended by what its message says', async () => {
      for (const fault of plantedFaults) if (MENDED_BY_THEIR_FIX.includes(fault.name)) await fault.plant(bench);
      const { results } = await runChecks(bench, undisturbing);
      const fixes = results.flatMap(({ fix }) => fix ?? []);
      expect(fixes).toHaveLength(MENDED_BY_THEIR_FIX.length);
      for (const fix of fixes) {
        const [, containers = ''] = /^`docker rm -f ([^`]+)`, then \.\/scripts\/up /.exec(fix) ?? [];
        expect(containers).not.toBe('');
        for (const name of containers.split(' ')) await bench.docker.getContainer(name).remove({ force: true });
      }
      mustSucceed(await runCommand(path.join(projectRoot, 'scripts', 'up'), [deployment().file]));
      expect(redOf(await checkEnvironment(deployment()))).toEqual({});
    });

    test('leaves nothing: when all are mended, every check passes', async () => {
      expect(redOf(await checkEnvironment(deployment()))).toEqual({});
    });
  });
}

async function runChecks({ loaded: told, s3Endpoint }: Workbench, checks: readonly Check[]): Promise<Report> {
  return checkEnvironment(told, { checks, ...(s3Endpoint === undefined ? {} : { s3Endpoint }) });
}

/** All checks that interrupt nothing, and of the others those that must turn red. */
function checksFor(fault: PlantedFault): readonly Check[] {
  return catalogue.filter((check) => !isDisruptive(check) || check.id in fault.red);
}

/** What the checks that did not pass say, by their ids. */
function redOf({ results }: Report): Record<string, string | undefined> {
  const red = results.filter(({ status }) => status === 'failed' || status === 'could-not-check');
  return Object.fromEntries(red.map(({ id, message }) => [id, message]));
}

function omit<T>(record: Readonly<Record<string, T>>, keys: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));
}
