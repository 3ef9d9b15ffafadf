/** `cdktf deploy` as a step: shown stack by stack, logged, and interrupted without loss. */
import path from 'node:path';
import type { LoadedEnvironment } from '../../config/load';
import { type StackRange, stacksIn } from '../../config/stack-names';
import { projectRoot } from '../../config/toolchain';
import { ExternalError } from '../../operations/lib/errors';
import { CommandError, run } from '../../operations/lib/command';
import type { Step } from '../../operations/lib/step';
import { DeployProgress } from './deploy-progress';
import { howToLimitProcesses } from './process-limit';
import { duration } from './progress';
import { howToUnlock } from './state-lock';
import { interruptDeploy } from './terraform-processes';

/** @param range what is to be deployed; what is before it must be as it shall be. Default: everything */
export function deployStep(
  { environment, file, state }: LoadedEnvironment,
  verbose: boolean,
  range?: StackRange,
): Step {
  const stacks = stacksIn(environment, range);
  const named = stacks.map((stack) => `${environment.name}-${stack}`);
  const chosen =
    range === undefined
      ? ['*']
      : range.from === undefined
        ? named
        : // where stacks before them are left out, cdktf no longer waits for one before it begins the next, unless told to
          [...named, '--ignore-missing-stack-dependencies', '--parallelism', '1'];
  return {
    title: range === undefined ? 'Deploy' : `Deploy ${stacks.join(', ')}`,
    run: async ({ report, announce, signal }) => {
      const progress = new DeployProgress(environment.name);
      const logFile = path.join(state.logs, 'deploy.log');
      const bin = path.join(projectRoot, 'node_modules', '.bin');
      const ended = new Set<string>();
      let since = performance.now();
      const finished = (what: string): void => {
        if (ended.has(what)) return;
        ended.add(what);
        announce(`✔ ${what} (${duration(performance.now() - since)})`);
        since = performance.now();
      };
      try {
        await run(path.join(bin, 'cdktf'), ['deploy', ...chosen, '--auto-approve', '--output', state.cdktfOut], {
          cwd: projectRoot,
          env: {
            ...process.env,
            PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}`,
            EBS_ENVIRONMENT: file,
            CI: '1',
            FORCE_COLOR: '0',
            CHECKPOINT_DISABLE: '1',
          },
          logFile,
          signal,
          detached: true,
          interrupt: interruptDeploy,
          onLine: (line) => {
            if (verbose) process.stderr.write(`${line}\n`);
            const { now, planning, done } = progress.take(line);
            if (planning === true) finished('synthesised and initialised');
            if (now !== undefined) report(now);
            if (done !== undefined) finished(`${done.stack}: ${done.changes}`);
          },
        });
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        const failure = progress.failure();
        throw new ExternalError(
          `the deploy of ${environment.name} failed:\n  ${failure.join('\n  ')}`,
          howToUnlock(environment, failure) ??
            howToLimitProcesses(failure, environment.docker.processLimit) ??
            `Everything it printed is in ${logFile}. What was deployed stays; run it again to go on.`,
          { cause: error },
        );
      }
      return undefined;
    },
  };
}
