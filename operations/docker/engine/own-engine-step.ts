import { UsageError } from '../../lib/errors';
import type { LoadedEnvironment } from '../../state/load';
import { rememberDeployedEngine, requireOwnEngine } from './engine-identity';
import type { Step } from '../../lib/step';

/** For the help of each command that takes it. */
export const ENGINE_OPTION_HELP = `--engine      id of the Docker engine that answers, to continue although the deployment was on another one: for an engine
                that was replaced, see docs/engines.md`;

/**
 * Hosts name their engines, so that another one there is a machine that took the place of the old one.
 *
 * @param accepted what `--engine` says
 * @throws UsageError if it says anything, and there are several hosts
 */
export function requireOneHost({ hosts }: Pick<LoadedEnvironment['environment'], 'hosts'>, accepted?: string): void {
  if (hosts === undefined || accepted === undefined) return;
  throw new UsageError(`--engine: must not be given with hosts, which name their engines, got: ${accepted}`);
}

/**
 * Whether the engine that answers is the one of the deployment, before anything else is asked or done there.
 *
 * @param accepted what `--engine` says
 */
export function ownEngineStep(loaded: LoadedEnvironment, accepted: string | undefined): Step {
  const { state } = loaded;
  return {
    title: 'Engine of the deployment',
    run: async () => {
      const met = await requireOwnEngine(loaded, { accepted });
      rememberDeployedEngine(state, met);
      return `${met.name}, ${met.host}`;
    },
  };
}
