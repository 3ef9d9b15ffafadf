/** `cdktf deploy '*'` as a step: shown stack by stack, logged, and interrupted without loss. */
import path from 'node:path';
import type { LoadedEnvironment } from '../../config/load';
import { projectRoot } from '../../config/toolchain';
import { ExternalError } from '../../operations/errors';
import { CommandError, run } from '../../operations/toolchain/command';
import type { Step } from '../../operations/toolchain/step';
import { DeployProgress } from './deploy-progress';
import { duration } from './progress';
import { interruptDeploy } from './terraform-processes';

/** @param stacks names without the environment's. Default: all of them */
export function deployStep(
  { environment, file, state }: LoadedEnvironment,
  verbose: boolean,
  stacks: readonly string[] = [],
): Step {
  const chosen = stacks.length === 0 ? ['*'] : stacks.map((stack) => `${environment.name}-${stack}`);
  return {
    title: stacks.length === 0 ? 'Deploy' : `Deploy ${stacks.join(', ')}`,
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
        throw new ExternalError(
          `the deploy of ${environment.name} failed:\n  ${progress.failure().join('\n  ')}`,
          `Everything it printed is in ${logFile}. What was deployed stays; run it again to go on.`,
          { cause: error },
        );
      }
      return undefined;
    },
  };
}
