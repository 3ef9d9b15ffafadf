/**
 * Proof that the checks can fail: what each of them guards is broken in a real deployment, and that check, and no other
 * one, turns red and says what and why. How to add a fault is said in planted-faults/planted-fault.ts.
 */
import { catalogue, isDisruptive, undisturbing } from '../../operations/checks/catalogue';
import type { Check } from '../../operations/checks/check';
import { checkEnvironment } from '../../operations/checks/check-environment';
import type { Report } from '../../operations/checks/report/model';
import { useDeployment } from '../helpers/e2e/shared-deployment';
import { Workbench } from '../helpers/e2e/workbench';
import { plantedFaults } from './planted-faults';
import type { PlantedFault } from './planted-faults/planted-fault';

const deployment = useDeployment();

test('before any fault, also through a gateway that changes nothing, every check passes', async () => {
  const bench = new Workbench(deployment());
  await bench.gateway();
  try {
    expect(redOf(await checkEnvironment(deployment()))).toEqual({});
    expect(redOf(await runChecks(bench, undisturbing))).toEqual({});
  } finally {
    await bench.mend();
  }
});

test.each(plantedFaults.map((fault) => [fault.name, fault] as const))('%s', async (_, fault) => {
  const bench = new Workbench(deployment());
  let report: Report;
  try {
    await fault.plant(bench);
    report = await runChecks(bench, checksFor(fault));
  } finally {
    await bench.mend();
  }
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

test('when all faults are mended, every check passes', async () => {
  const report = await checkEnvironment(deployment());
  expect(redOf(report)).toEqual({});
});

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
