import { execFile } from 'node:child_process';
import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../../../operations/lib/project-root';
import { cacheLayout } from '../../../operations/toolchain/cache';
import { findGo } from '../../../operations/toolchain/go/go-toolchain';
import { add, FAILED, NONE, type Suite } from './suite';

/** What `go test -json` prints for each test and subtest; a package alone has no `Test`. */
const goTestEvent = z.object({ Action: z.string(), Test: z.string().optional() });

/**
 * How many cases each fuzz test of the guard makes up. Not a time: Go 1.26 may report the end of that time as a failure
 * on a busy machine (https://go.dev/issue/75804).
 */
const fuzzInputs = (long: boolean): number => Number(process.env.EBS_FUZZ_INPUTS ?? (long ? '1000000' : '20000'));

/** The Go of the guard in MinIO by itself: its tests, and a look for requests that get past it. */
export const guard = (long: boolean): Suite => ({
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
