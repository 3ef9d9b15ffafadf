/**
 * Proof that the checks can fail: what each of them guards is broken in a real deployment, and that check, and none of
 * those that are run beside it, turns red and says what and why. How to add a fault is said in ../planted-faults/planted-fault.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { projectRoot } from '../../../operations/lib/project-root';
import { catalogue, nonDisruptive, selectChecks } from '../../../operations/checks/catalogue';
import type { Check } from '../../../operations/checks/check';
import { checkEnvironment } from '../../../operations/checks/check-environment';
import type { Report } from '../../../operations/checks/report/model';
import { builtMc } from '../../../operations/toolchain/findings';
import { type CommandResult, mustSucceed, output, runCommand } from '../../helpers/e2e/command';
import { Workbench } from '../../helpers/e2e/workbench';
import { plantedFaults, plantings } from '../planted-faults';
import type { PlantedFault } from '../planted-faults/planted-fault';

/** What a deploy mends once the containers are gone, and what it leaves as it is. */
const UNTIL_THE_NEXT_DEPLOY = ['KES knows a client that nobody declared', 'the provisioner may read the master keys'];
const BEYOND_A_DEPLOY = 'everybody may read a bucket';

const LONG = process.env.EBS_E2E_LONG === '1';

/** One for each component, each of a kind of its own: state, keys, objects, settings, rights. */
const SENTINELS = [
  'services-running',
  'key-continuity',
  'sse-s3-round-trip',
  'minio-configuration',
  'kes-clients-confined',
  'vault-policies',
];

export function describePlantedFaults(deployment: () => LoadedEnvironment): void {
  describe('a planted fault', () => {
    let bench: Workbench;

    beforeEach(() => {
      bench = new Workbench(deployment());
    });
    afterEach(async () => {
      await bench.mend();
    });

    test('before any, through a gateway that changes nothing, every check passes', async () => {
      await bench.gateway();
      expect(redOf(await runChecks(bench, nonDisruptive))).toEqual({});
    });

    test.each(plantings.map((faults) => [faults.map(({ name }) => name).join('; '), faults] as const))(
      '%s',
      async (_, faults) => {
        for (const { plant } of faults) await plant(bench);
        const report = await runChecks(bench, checksFor(faults));
        const expected = faults.flatMap(({ red, alsoRed }) => Object.keys({ ...red, ...alsoRed }));
        const found = redOf(report);
        expect(omit(found, expected)).toEqual({});
        expect(Object.keys(found)).toEqual(expect.arrayContaining(expected));
        for (const [id, { message, fix }] of faults.flatMap(({ red }) => Object.entries(red))) {
          expect(report.results.find((result) => result.id === id)).toMatchObject({
            status: 'failed',
            message: expect.stringMatching(message) as string,
            fix: expect.stringMatching(fix) as string,
          });
        }
      },
    );

    test('fails a deploy in its own words, and is mended by what they say', async () => {
      const names = [...UNTIL_THE_NEXT_DEPLOY, BEYOND_A_DEPLOY];
      for (const { name, plant } of plantedFaults) if (names.includes(name)) await plant(bench);
      const { results } = await runChecks(bench, nonDisruptive);
      const fixes = results.flatMap(({ fix }) => fix ?? []);
      expect(fixes).toHaveLength(names.length);
      const containers = fixes.flatMap((fix) => /^`docker rm -f ([^`]+)`, then/.exec(fix)?.[1]?.split(' ') ?? []);
      expect(containers).toEqual(
        ['vault', 'kes', 'kes-files-loader'].map((name) => `ebs-${deployment().environment.name}-${name}`),
      );
      for (const name of containers) await bench.docker.getContainer(name).remove({ force: true });

      const failed = await deploy(deployment());
      expect(failed.code).not.toBe(0);
      expect(failed.stdout + failed.stderr).toContain('the deployment did not pass its checks (');
      expect(failed.stdout + failed.stderr).toContain(
        'anonymous-read-refused: a policy allows everybody to do something, in 1 of its statements (bucket backup)',
      );

      expect(fixes.join()).toContain('`mc anonymous set private ALIAS/BUCKET`');
      await makePrivate(bench, 'backup');
      mustSucceed(await deploy(deployment()));
    });

    test('leaves nothing: when all are mended, by hand or by a deploy, every check passes', async () => {
      expect(redOf(await checkEnvironment(deployment()))).toEqual({});
    });
  });
}

async function runChecks({ loaded: told, s3Endpoint }: Workbench, checks: readonly Check[]): Promise<Report> {
  return checkEnvironment(told, { checks, ...(s3Endpoint === undefined ? {} : { s3Endpoint }) });
}

/** Plain cdktf, as its documentation has it. */
async function deploy({ file }: LoadedEnvironment): Promise<CommandResult> {
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-deploy-'));
  try {
    return await runCommand('npx', ['cdktf', 'deploy', '*', '--auto-approve', '--output', folder], {
      cwd: projectRoot,
      env: { EBS_ENVIRONMENT: file, CI: '1', FORCE_COLOR: '0' },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function makePrivate(bench: Workbench, bucket: string): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-mc-'));
  const { accessKey, secretKey } = bench.credentials;
  await output(builtMc() ?? 'mc', ['--config-dir', folder, 'anonymous', 'set', 'private', `e2e/${bucket}`], {
    env: {
      MC_HOST_e2e: bench.realS3.url.replace('://', `://${accessKey}:${secretKey.reveal()}@`),
      SSL_CERT_FILE: bench.realS3.caFile,
    },
  });
  rmSync(folder, { recursive: true });
}

/**
 * Those that must turn red, and those beside which they must do so alone: every day the sentinels, in a long run all that
 * interrupt nothing.
 */
function checksFor(faults: readonly PlantedFault[]): readonly Check[] {
  const red = faults.flatMap((fault) => Object.keys({ ...fault.red, ...fault.alsoRed }));
  const besides = LONG ? nonDisruptive : selectChecks(SENTINELS);
  return catalogue.filter((check) => red.includes(check.id) || besides.includes(check));
}

/** What the checks that did not pass say, by their ids. */
function redOf({ results }: Report): Record<string, string | undefined> {
  const red = results.filter(({ status }) => status === 'failed' || status === 'could-not-check');
  return Object.fromEntries(red.map(({ id, message }) => [id, message]));
}

function omit<T>(record: Readonly<Record<string, T>>, keys: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)));
}
