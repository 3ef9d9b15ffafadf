/** A deploy as a step: shown stack by stack, logged, and interrupted without loss. */
import path from 'node:path';
import { nodesOf, vaultNodes } from '../../config/node';
import { vaultNodeEndpoint } from '../../config/state/endpoints';
import { embeddedVault, VAULT_ADDRESS_VARIABLE } from '../../config/vault/vault';
import { type LoadedEnvironment, loadEnvironment } from '../state/load';
import { HostsHere } from '../docker/hosts/hosts-here';
import { type StackRange, stacksIn } from './stack-names';
import { requireNoOtherEngine } from '../docker/engine/engine-identity';
import { ExternalError, UsageError } from '../lib/errors';
import type { Step } from '../lib/step';
import { DeployError, deployStacks, type Keep } from './deploy';
import { providerCache, type SynthesizedFolder, thisTerraform } from './terraform';
import { takeTurn } from './turn';
import { howToLimitProcesses } from './process-limit';
import { duration } from '../lib/text/elapsed';
import { howToUnlock } from './state-lock';

/** Writes the stacks of an environment into a folder; in the order of deployment. */
export type Synthesize = (loaded: LoadedEnvironment, folder: string) => SynthesizedFolder[];

/**
 * Has an environment deployed, as a step.
 *
 * @param range what is to be deployed; what is before it must be as it shall be. Default: everything
 * @param hosts what is on one that is away is not deployed, and the checks do not run: they would find only that
 */
export type Deploy = (range?: StackRange, hosts?: HostsHere) => Step;

export interface DeployedBy {
  readonly loaded: LoadedEnvironment;
  /** Operations know no stack: a command hands this over. */
  readonly synthesize: Synthesize;
  /** Everything that Terraform says goes to stderr. */
  readonly verbose: boolean;
}

export const deployBy =
  (by: DeployedBy): Deploy =>
  (range, hosts = new HostsHere()) =>
    deployStep(by, range, hosts);

function deployStep(
  { loaded, synthesize, verbose }: DeployedBy,
  range: StackRange | undefined,
  hosts: HostsHere,
): Step {
  const { environment, file, state } = loaded;
  const chosen = stacksIn(environment, range);
  return {
    title: range === undefined ? 'Deploy' : `Deploy ${chosen.join(', ')}`,
    run: async ({ report, announce, signal }) => {
      const logFile = path.join(state.logs, 'deploy.log');
      let since = performance.now();
      const finished = (what: string): void => {
        announce(`✔ ${what} (${duration(performance.now() - since)})`);
        since = performance.now();
      };
      // before Terraform takes what it does not find there for gone
      await requireNoOtherEngine(loaded);
      const { missing } = hosts;
      const isAway = (stack: string): boolean =>
        missing.some((host) => PER_HOST.some((stage) => stack === `${stage}-${host}`));
      const here = chosen.filter((stack) => !isAway(stack) && (missing.length === 0 || stack !== 'checks'));
      const named = here.map((stack) => `${environment.name}-${stack}`);
      // a step before this one may have edited the file
      const stacks = synthesize(loadEnvironment(file), state.cdktfOut).filter(({ name }) => named.includes(name));
      if (stacks.length !== named.length) {
        throw new UsageError(
          `${file} declared ${environment.name} when this began, and declares ${stacks.length} of its stacks now`,
          'run this again; nothing was deployed',
        );
      }
      finished('synthesised');
      const unnoted = await takeTurn(loaded);
      if (unnoted !== undefined) announce(unnoted);
      try {
        await deployStacks(stacks, {
          environment: environment.name,
          terraform: thisTerraform(signal, {
            EBS_ENVIRONMENT: file,
            ...providerCache(),
            ...answeringVault(loaded, hosts),
          }),
          logFile,
          onProgress: report,
          onDeployed: (stack, changes) => {
            finished(`${stack}: ${changes}`);
          },
          ...(missing.length === 0 ? {} : { keep: quorumOf(loaded, missing) }),
          ...(verbose && { onText: (text: string) => void process.stderr.write(`${text}\n`) }),
        });
      } catch (error) {
        if (!(error instanceof DeployError)) throw error;
        throw new ExternalError(
          `the deploy of ${environment.name} failed in ${error.failedStack}:\n  ${error.lines.join('\n  ')}`,
          howToUnlock(environment, error.lines) ??
            howToLimitProcesses(error.lines, environment.docker.processLimit) ??
            `Everything it printed is in ${logFile}. What was deployed stays; run it again to continue.`,
          { cause: error },
        );
      }
      return missing.length === 0 ? undefined : `without ${missing.join(', ')}, and without the checks`;
    },
  };
}

/** The stages of which each host has a stack of its own. */
const PER_HOST = ['host', 'vault', 'kes', 'minio'];

/** Has Terraform ask a Vault on a host that is there. By default it asks the first one. */
function answeringVault({ environment, state }: LoadedEnvironment, hosts: HostsHere): Record<string, string> {
  const vault = embeddedVault(environment);
  if (vault === undefined || hosts.missing.length === 0) return {};
  const there = vaultNodes(nodesOf(environment)).find(({ host }) => !hosts.missing.includes(host?.name ?? ''));
  if (there === undefined) return {};
  return { [`TF_VAR_${VAULT_ADDRESS_VARIABLE}`]: vaultNodeEndpoint(environment, vault, state, there).url };
}

/** While a host is away, each of the others is needed: for the majority of Vault, and to write an object. */
function quorumOf({ environment, argument }: LoadedEnvironment, away: readonly string[]): Keep {
  const nodes = nodesOf(environment);
  const [{ minio }] = nodes;
  return {
    containers: [minio.container, vaultNodes(nodes)[0].vault.container],
    because: `host ${away.join(', ')} is away, and without one more neither MinIO nor Vault might go on`,
    hint: `bring the host back, then ./scripts/up ${argument}; or undo the change of the environment file`,
  };
}
