/** `./scripts/test`: everything that CI runs, and the totals of all suites as the last line. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from '../operations/lib/errors';
import { projectRoot } from '../operations/lib/project-root';
import { guard } from '../test/helpers/suite/guard';
import { endToEndTests, jest, removeLeftovers } from '../test/helpers/suite/jest';
import { awsStandIn, clients, toolchain } from '../test/helpers/suite/programs';
import { add, bin, command, inTurn, NONE, timed } from '../test/helpers/suite/suite';
import { FLAG, main } from './lib/command-line';

const HELP = `Usage: ./scripts/test [--no-e2e | --long]

Runs everything that CI runs: format, types, lint, directions of imports, the toolchain, the Go tests of MinIO's guard, unit
tests, and the end-to-end tests, which deploy environments with random names on free ports next to whatever runs and
remove them again. A step that fails does not keep the others from running. The last line on stdout is the totals:
N passed, N failed[, N skipped].

  --long       run the end-to-end tests that are else skipped: further cases of what is proven every day, and what is
               slow; before a release, and every night. Without it their names are printed. The guard is fuzzed longer
  --no-e2e     leave out the toolchain and the end-to-end tests
  -h, --help   this text

EBS_FUZZ_INPUTS says how many requests each of two fuzz tests makes up, to find one that gets past the guard
(default: 20000, some seconds; with --long 1000000, about two minutes).

Exit codes:
  0    everything passed
  1    something failed
  64   wrong call
  130  interrupted; what was deployed is removed
`;

/** What .dependency-cruiser.cjs has rules for, as `npm run imports` gives it; a part of a checkout may lack some of it. */
const RULED = ['main.ts', 'config', 'constructs', 'stacks', 'operations', 'scripts', 'bench'];

const isThere = (place: string): boolean => existsSync(path.join(projectRoot, place));

void main(async (args, signal) => {
  const values = parseArguments(args);
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { long = false } = values;
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-test-run-'));
  let total = NONE;
  try {
    const format = command('format', bin('prettier'), ['--check', '--log-level', 'warn', '.']);
    const types = command('types', bin('tsc'), ['--pretty', 'false']);
    const lint = command('lint', bin('eslint'), ['.']);
    const imports = command('imports', bin('depcruise'), ['--output-type', 'err', ...RULED.filter(isThere)]);
    // the lint takes as long as the two others together
    const lanes = await Promise.all([inTurn([format, types, imports], signal), inTurn([lint], signal)]);
    total = lanes.reduce(add, total);
    const endToEnd = values['no-e2e'] !== true;
    // before the unit tests, some of which ask Terraform and would be skipped without one
    const prepared = endToEnd ? await timed(toolchain, signal) : NONE;
    total = add(total, prepared);
    total = add(total, await timed(guard(long), signal));
    total = add(total, await timed(jest({ title: 'unit tests', folder, configuration: 'jest.config.cjs' }), signal));
    if (endToEnd) {
      let ready = prepared.failed === 0;
      for (const tool of [clients(long), awsStandIn]) {
        if (!ready) break;
        const counts = await timed(tool, signal);
        total = add(total, counts);
        ready = counts.failed === 0;
      }
      if (ready) total = add(total, await timed(endToEndTests(folder, long), signal));
      else process.stderr.write('- end-to-end tests: skipped, because what they need is not there\n');
    }
  } finally {
    await removeLeftovers(folder);
    rmSync(folder, { recursive: true, force: true });
  }
  signal.throwIfAborted();
  const { passed, failed, skipped } = total;
  process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
});

function parseArguments(args: string[]) {
  try {
    const { values } = parseArgs({ args, options: { 'no-e2e': FLAG, long: FLAG, help: { ...FLAG, short: 'h' } } });
    if (values.long && values['no-e2e']) throw new Error('--long or --no-e2e, not both');
    return values;
  } catch (error) {
    throw new UsageError((error as Error).message, 'See ./scripts/test --help.');
  }
}
