import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { parseEnvironment } from '../../../config/load';
import { messageOf } from '../../../operations/lib/errors';
import { projectRoot } from '../../../operations/lib/project-root';
import { everyDay, LONG_RUN } from '../e2e/long-run';
import { bin, FAILED, spawned, type Suite } from './suite';

/** What test/helpers/jest/counts-reporter.cjs writes. */
const jestCounts = z.object({
  passed: z.number(),
  failed: z.number(),
  skipped: z.number(),
  skippedNames: z.array(z.string()),
});
type JestCounts = z.infer<typeof jestCounts>;

/** All of them, or all but {@link LONG_RUN}, whose names are printed then. */
export function endToEndTests(folder: string, long: boolean): Suite {
  const suite = { title: 'end-to-end tests', folder, configuration: 'jest.e2e.config.cjs' };
  if (long) return jest({ ...suite, variables: { EBS_E2E_LONG: '1' } });
  return jest({ ...suite, args: ['--testNamePattern', everyDay()], judge: leftOut });
}

/** Says what was left to `--long`. @returns what the list of it names, and no test is called */
function leftOut({ skippedNames: names }: JestCounts): number {
  process.stderr.write(`  left to --long, ${names.length} tests:\n${names.map((name) => `    ${name}\n`).join('')}`);
  process.stderr.write(
    '  less than with --long: a planted fault runs beside six checks, not beside all; a first deploy is killed at one point, not at twelve; Vault is away for 10 s, not for 120\n',
  );
  const vain = Object.values(LONG_RUN)
    .flat()
    .filter((name) => !names.some((one) => one.startsWith(name)));
  for (const name of vain)
    process.stderr.write(`  test/helpers/e2e/long-run.ts leaves out what is not there: ${name}\n`);
  return vain.length;
}

interface JestRun {
  readonly title: string;
  /** Where the counts go. */
  readonly folder: string;
  readonly configuration: string;
  readonly args?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  /** Looks at the counts. @returns how much is wrong besides tests that failed */
  readonly judge?: (counts: JestCounts) => number;
}

/** Tests that jest runs and counts. */
export function jest({ title, folder, configuration, args = [], variables = {}, judge }: JestRun): Suite {
  return {
    title,
    run: async (signal) => {
      const file = path.join(folder, `${configuration}.json`);
      const reporters = ['default', './test/helpers/jest/counts-reporter.cjs'].flatMap((name) => ['--reporters', name]);
      const own = { EBS_E2E_FOLDER: folder, EBS_TEST_COUNTS: file, ...variables };
      const code = await spawned(bin('jest'), ['--config', configuration, ...reporters, ...args], signal, own);
      if (!existsSync(file)) return FAILED;
      const counts = jestCounts.parse(JSON.parse(readFileSync(file, 'utf8')));
      return {
        passed: counts.passed,
        // a hook that failed fails the run without failing a test
        failed: (counts.failed === 0 && code !== 0 ? 1 : counts.failed) + (judge?.(counts) ?? 0),
        skipped: counts.skipped,
      };
    },
  };
}

/** Environments that tests could not remove themselves, because they were interrupted. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of readdirSync(folder)) {
    const file = path.join(folder, name, 'environment.yaml');
    if (!existsSync(file)) continue;
    try {
      const environment = parseEnvironment(readFileSync(file, 'utf8'), file).name;
      await spawned(
        path.join(projectRoot, 'scripts', 'down'),
        [file, '--delete-data', '--confirm', environment],
        new AbortController().signal,
      );
    } catch (error) {
      process.stderr.write(`warning: ${file} could not be taken down: ${messageOf(error)}\n`);
    }
  }
}
