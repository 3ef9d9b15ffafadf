/** `./scripts/test`: everything that CI runs, and the totals of all suites as the last line. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { projectRoot } from '../operations/lib/project-root';
import { parseEnvironment } from '../config/load';
import { messageOf, UsageError } from '../operations/lib/errors';
import { printError } from '../operations/lib/print-error';
import { cacheLayout } from '../operations/toolchain/cache';
import { findGo } from '../operations/toolchain/go/go-toolchain';
import { thisMachine } from '../operations/lib/machine';
import { install, type Missing } from '../operations/toolchain/prerequisites';
import { NotYet, waitFor } from '../operations/lib/wait';
import {
  CLIENT_PROGRAMS,
  type ClientProgram,
  findClient,
  LONG_RUN_ONLY,
} from '../test/helpers/e2e/clients/client-programs';
import { hasPython, provideMoto } from '../test/helpers/e2e/servers/moto';
import { everyDay, LONG_RUN } from '../test/helpers/e2e/long-run';
import { main } from './lib/command-line';
import { duration } from './lib/progress';

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

const BOOLEAN = { type: 'boolean' } as const;

/** How many tests came out how. */
interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Suite {
  readonly title: string;
  readonly run: (signal: AbortSignal) => Promise<Counts>;
}

const NONE: Counts = { passed: 0, failed: 0, skipped: 0 };
const PASSED: Counts = { ...NONE, passed: 1 };
const FAILED: Counts = { ...NONE, failed: 1 };

/** What test/helpers/jest/counts-reporter.cjs writes. */
const jestCounts = z.object({
  passed: z.number(),
  failed: z.number(),
  skipped: z.number(),
  skippedNames: z.array(z.string()),
});
type JestCounts = z.infer<typeof jestCounts>;

/** What .dependency-cruiser.cjs has rules for, as `npm run imports` gives it; a part of a checkout may lack some of it. */
const RULED = ['main.ts', 'config', 'constructs', 'stacks', 'operations', 'scripts', 'bench'];

const isThere = (place: string): boolean => existsSync(path.join(projectRoot, place));
const bin = (program: string): string => path.join(projectRoot, 'node_modules', '.bin', program);

void main(async (args, signal) => {
  const { values } = parseArguments(args);
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
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
    total = add(total, await timed(guard(values.long === true), signal));
    total = add(total, await timed(jest({ title: 'unit tests', folder, configuration: 'jest.config.cjs' }), signal));
    if (endToEnd) {
      let ready = prepared.failed === 0;
      for (const tool of [clients(values.long === true), awsStandIn]) {
        if (!ready) break;
        const counts = await timed(tool, signal);
        total = add(total, counts);
        ready = counts.failed === 0;
      }
      if (ready) total = add(total, await timed(endToEndTests(folder, values.long === true), signal));
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

/** Images and providers; a success of it is no test. */
const toolchain: Suite = {
  title: 'toolchain',
  run: async (signal) => {
    const code = await spawned(path.join(projectRoot, 'scripts', 'toolchain'), ['local'], signal);
    return code === 0 ? NONE : FAILED;
  },
};

/** What `go test -json` prints for each test and subtest; a package alone has no `Test`. */
const goTestEvent = z.object({ Action: z.string(), Test: z.string().optional() });

/**
 * How many cases each fuzz test of the guard makes up. Not a time: Go 1.26 may report the end of that time as a failure
 * on a busy machine (https://go.dev/issue/75804).
 */
const fuzzInputs = (long: boolean): number => Number(process.env.EBS_FUZZ_INPUTS ?? (long ? '1000000' : '20000'));

/** The Go of the guard in MinIO by itself: its tests, and a look for requests that get past it. */
const guard = (long: boolean): Suite => ({
  title: 'guard in MinIO',
  run: async (signal) => {
    const go = findGo(cacheLayout());
    if (go === undefined) {
      process.stderr.write('  there is no Go that can build it\n');
      return { ...NONE, skipped: 1 };
    }
    const cwd = path.join(projectRoot, 'toolchain', 'images', 'minio', 'guard');
    const env = { ...process.env, ...go.env, GOFLAGS: '', GOWORK: 'off', CGO_ENABLED: '0' };
    const runs = ['FuzzDecide', 'FuzzForm'].map((name) => [
      ...['-run', '^$', '-fuzz', `^${name}$`, '-fuzztime', `${fuzzInputs(long)}x`],
    ]);
    let total = NONE;
    for (const args of [[], ...runs]) {
      signal.throwIfAborted();
      const { failed, stdout } = await outcome(go.program, ['test', '-json', ...args, ...packagesOf(args)], {
        cwd,
        env,
        signal,
      });
      const events = stdout
        .split('\n')
        .flatMap((line) => (line.startsWith('{') ? [goTestEvent.parse(JSON.parse(line))] : []));
      const count = (action: string): number =>
        events.filter((event) => event.Action === action && event.Test !== undefined).length;
      const counts = { passed: count('pass'), failed: count('fail'), skipped: count('skip') };
      // what does not compile has no test
      const broken = failed && counts.failed === 0;
      total = add(total, broken ? FAILED : counts);
      if (failed) process.stderr.write(stdout);
    }
    return total;
  },
});

/** A fuzz test is in one package, and go runs one at a time. */
const packagesOf = (args: readonly string[]): string[] =>
  args.length > 0 ? ['./internal/ebsguard'] : ['./internal/ebsguard', './internal/ebsonce'];

/** What a program prints, and whether it failed. */
async function outcome(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal },
): Promise<{ readonly failed: boolean; readonly stdout: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { ...options, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      process.stderr.write(stderr);
      resolve({ failed: error !== null, stdout });
    });
  });
}

/** The programs that the end-to-end tests drive: backup clients, a browser, an image registry; and Prometheus in the long run. */
const clients = (long: boolean): Suite => ({
  title: 'clients',
  run: async (signal) => {
    const wanted = (Object.keys(CLIENT_PROGRAMS) as ClientProgram[]).filter((name) => long || !LONG_RUN_ONLY.has(name));
    const absent = wanted.filter((name) => findClient(name) === undefined);
    const missing = absent.map((name): Missing => {
      const { what, aptPackages } = CLIENT_PROGRAMS[name];
      return { what, aptPackages, elsewhere: `install the package ${aptPackages[0]}` };
    });
    await install(missing, thisMachine(), { signal, report: () => undefined, announce: () => undefined });
    const still = absent.filter((name) => findClient(name) === undefined);
    if (still.length > 0) throw new UsageError(`installed, but not usable: ${still.join(', ')}`);
    return NONE;
  },
});

/** What stands in for AWS in the end-to-end tests. */
const awsStandIn: Suite = {
  title: 'moto',
  run: async (signal) => {
    const python: Missing[] = hasPython()
      ? []
      : [
          {
            what: 'Python with venv, which runs the stand-in for AWS',
            aptPackages: ['python3', 'python3-venv'],
            elsewhere: 'install Python 3.9 or newer with its modules venv and ensurepip',
          },
        ];
    await install(python, thisMachine(), { signal, report: () => undefined, announce: () => undefined });
    await provideMoto({ signal });
    return NONE;
  },
};

/** A program whose success is one test. */
function command(title: string, program: string, args: readonly string[]): Suite {
  return { title, run: async (signal) => ((await spawned(program, args, signal)) === 0 ? PASSED : FAILED) };
}

/** All of them, or all but {@link LONG_RUN}, whose names are printed then. */
function endToEndTests(folder: string, long: boolean): Suite {
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
function jest({ title, folder, configuration, args = [], variables = {}, judge }: JestRun): Suite {
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

async function inTurn(suites: readonly Suite[], signal: AbortSignal): Promise<Counts> {
  let total = NONE;
  for (const suite of suites) total = add(total, await timed(suite, signal));
  return total;
}

async function timed({ title, run }: Suite, signal: AbortSignal): Promise<Counts> {
  signal.throwIfAborted();
  process.stderr.write(`… ${title}\n`);
  const started = performance.now();
  let counts: Counts;
  try {
    counts = await run(signal);
  } catch (error) {
    signal.throwIfAborted();
    printError(error);
    counts = FAILED;
  }
  signal.throwIfAborted();
  const tests = counts.passed + counts.failed;
  const summary = tests > 1 ? `: ${counts.passed} passed, ${counts.failed} failed` : '';
  process.stderr.write(
    `${counts.failed === 0 ? '✔' : '✖'} ${title}${summary} (${duration(performance.now() - started)})\n`,
  );
  return counts;
}

/** Runs a program to its end, or ends it with all that it started; what it prints goes to stderr. */
async function spawned(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
  variables: Readonly<Record<string, string>> = {},
): Promise<number> {
  const child = spawn(program, args, {
    cwd: projectRoot,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...variables },
    // a group of its own: jest leaves its workers behind, and they would go on to deploy
    detached: true,
  });
  const interrupt = (): void => {
    signalGroup(child.pid, 'SIGINT');
  };
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        resolve(code ?? 1);
      });
    });
  } finally {
    signal.removeEventListener('abort', interrupt);
    if (signal.aborted) await endOfGroup(child.pid);
  }
}

/** What is under way gets a minute to end well; what was deployed can be removed only then. */
async function endOfGroup(pid: number | undefined): Promise<void> {
  try {
    await waitFor({ what: 'the interrupted tests to end', timeoutMs: 60_000 }, () =>
      Promise.resolve(signalGroup(pid, 0) ? new NotYet(`process group ${pid}`) : true),
    );
  } catch {
    signalGroup(pid, 'SIGKILL');
  }
}

/** @returns whether there is such a group */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

/** Environments that tests could not remove themselves, because they were interrupted. */
async function removeLeftovers(folder: string): Promise<void> {
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

function add(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

function parseArguments(args: string[]) {
  try {
    const options = { 'no-e2e': BOOLEAN, long: BOOLEAN, help: { ...BOOLEAN, short: 'h' } } as const;
    const parsed = parseArgs({ args, options });
    if (parsed.values.long && parsed.values['no-e2e']) throw new Error('--long or --no-e2e, not both');
    return parsed;
  } catch (error) {
    throw new UsageError((error as Error).message, 'See ./scripts/test --help.');
  }
}
