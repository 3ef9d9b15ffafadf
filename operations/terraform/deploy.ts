/** Deploys synthesized stacks in their order: each is planned, and applied where the plan changes something. */
import { existsSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { CommandError } from '../lib/command';
import { ExternalError } from '../lib/errors';
import { constructPaths, DeployEvents } from './deploy-events';
import { shownPlan } from './plan/plan-stack';
import { attributesOf, type TerraformPlan } from './plan/terraform-plan';
import {
  asksForInit,
  initialize,
  isInitialized,
  runTerraform,
  type SynthesizedFolder,
  type TerraformOutput,
  type TerraformRun,
} from './terraform';

export interface DeployOptions {
  /** Name of the environment. */
  readonly environment: string;
  readonly terraform: TerraformRun;
  /** Gets what Terraform says, as a person reads it. */
  readonly logFile: string;
  /** The same, line by line. */
  readonly onText?: (text: string) => void;
  /** Called with what goes on at the moment. */
  readonly onProgress: (now: string) => void;
  /** Called when a stack is as it is declared, with what that changed. */
  readonly onDeployed: (stack: string, changes: string) => void;
  /** @default - whatever a plan replaces is replaced */
  readonly keep?: Keep | undefined;
}

/** Containers that this deploy must not take away, not even to make them anew. */
export interface Keep {
  /** Their names. */
  readonly containers: readonly string[];
  /** Completes the sentence "… must not be replaced now:". */
  readonly because: string;
  readonly hint: string;
}

/** A stack that could not be planned or applied. */
export class DeployError extends Error {
  override readonly name = 'DeployError';
  /** Name of the stack. */
  readonly failedStack: string;
  /** What Terraform or an operation said, for people. */
  readonly lines: readonly string[];

  constructor(stack: string, lines: readonly string[], cause: unknown) {
    super(`${stack} was not deployed`, { cause });
    this.failedStack = stack;
    this.lines = lines;
  }
}

/** Holds values, and goes as soon as it was applied. */
const PLAN_FILE = 'plan';

type Planned =
  { readonly outcome: 'unchanged' | 'changes' } | { readonly outcome: 'failed'; readonly error: DeployError };

/**
 * | Stacks before it   | its plan                                                             |
 * |--------------------|----------------------------------------------------------------------|
 * | all unchanged      | was made beside theirs, where Terraform was initialised in its folder |
 * | one was applied    | is made now: an earlier one has not read what that wrote             |
 *
 * @param stacks in the order of deployment
 * @throws DeployError where a stack fails; those before it are deployed
 */
export async function deployStacks(stacks: readonly SynthesizedFolder[], options: DeployOptions): Promise<void> {
  const ahead = new PlansAhead(
    stacks.filter(({ folder }) => isInitialized(folder)),
    options,
  );
  try {
    for (const stack of stacks) {
      options.onProgress(`${stack.name}: planning`);
      let planned = await ahead.take(stack);
      if (planned === undefined || planned.outcome === 'failed') planned = await plan(stack, options);
      if (planned.outcome === 'failed') throw planned.error;
      if (planned.outcome === 'unchanged') {
        options.onDeployed(stack.name, 'no change');
        continue;
      }
      ahead.discard();
      if (options.keep !== undefined) {
        requireKept(stack.name, await shownPlan(stack.folder, options.terraform, PLAN_FILE), options.keep);
      }
      options.onDeployed(stack.name, await apply(stack, options));
    }
  } finally {
    ahead.discard();
    await ahead.ended();
    for (const { folder } of stacks) rmSync(path.join(folder, PLAN_FILE), { force: true });
  }
}

/** Plans that are made side by side, as many at a time as there are processors. */
class PlansAhead {
  private readonly plans = new Map<string, Promise<Planned | undefined>>();
  private readonly lanes: Promise<void>[];
  private discarded = false;

  constructor(stacks: readonly SynthesizedFolder[], options: DeployOptions) {
    const begin = stacks.map((stack) => {
      let decide: (planned: Promise<Planned | undefined>) => void = () => undefined;
      this.plans.set(stack.name, new Promise((resolve) => (decide = resolve)));
      return async (): Promise<void> => {
        const planned = this.discarded ? Promise.resolve(undefined) : plan(stack, options);
        decide(planned);
        await Promise.allSettled([planned]);
      };
    });
    const lane = async (): Promise<void> => {
      for (let next = begin.shift(); next !== undefined; next = begin.shift()) await next();
    };
    this.lanes = Array.from({ length: availableParallelism() }, lane);
    // whoever takes a plan sees why it failed
    for (const planned of this.plans.values()) planned.catch(() => undefined);
  }

  /**
   * The plan of a stack, once it is made; undefined if there is none that counts. One that is being made is waited for in
   * any case: it holds the lock of the state.
   */
  async take({ name }: SynthesizedFolder): Promise<Planned | undefined> {
    const planned = await this.plans.get(name)?.catch((error: unknown) => {
      // it is planned once more, when its turn comes
      if (error instanceof DeployError) return undefined;
      throw error;
    });
    return this.discarded ? undefined : planned;
  }

  /** No more plans are begun, and none counts. */
  discard(): void {
    this.discarded = true;
  }

  async ended(): Promise<void> {
    await Promise.all(this.lanes);
  }
}

async function plan(stack: SynthesizedFolder, options: DeployOptions): Promise<Planned> {
  if (!isInitialized(stack.folder)) await initializeStack(stack, options);
  let planned = await tryPlan(stack, options);
  if (planned.outcome === 'failed' && planned.asksForInit) {
    await initializeStack(stack, options);
    planned = await tryPlan(stack, options);
  }
  return planned;
}

async function tryPlan(
  stack: SynthesizedFolder,
  options: DeployOptions,
): Promise<
  Exclude<Planned, { outcome: 'failed' }> | (Extract<Planned, { outcome: 'failed' }> & { asksForInit: boolean })
> {
  const { events, output } = listen(stack, options);
  const file = path.join(stack.folder, PLAN_FILE);
  // a kill may have left one
  rmSync(file, { force: true });
  const args = ['plan', '-json', '-input=false', '-detailed-exitcode', `-out=${PLAN_FILE}`];
  try {
    await runTerraform(stack.folder, options.terraform, args, output);
    return { outcome: 'unchanged' };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.exitCode === 2 && existsSync(file)) return { outcome: 'changes' };
    return {
      outcome: 'failed',
      error: new DeployError(stack.name, events.failure(), error),
      asksForInit: events.errors.some(asksForInit),
    };
  }
}

/** @throws ExternalError if the plan of a stack takes away what must be kept */
export function requireKept(stack: string, plan: TerraformPlan, { containers, because, hint }: Keep): void {
  const lost = plan.resource_changes.flatMap(({ type, change }) => {
    const { name } = attributesOf(change.before);
    const isLost = type === 'docker_container' && change.actions.includes('delete');
    return isLost && typeof name === 'string' && containers.includes(name) ? [name] : [];
  });
  if (lost.length === 0) return;
  throw new ExternalError(`${stack}: container ${lost.join(', ')} must not be replaced now: ${because}`, hint);
}

async function apply(stack: SynthesizedFolder, options: DeployOptions): Promise<string> {
  const { events, output } = listen(stack, options);
  try {
    await runTerraform(stack.folder, options.terraform, ['apply', '-json', '-input=false', PLAN_FILE], output);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new DeployError(stack.name, events.failure(), error);
  }
  return events.changes();
}

/** One at a time: Terraform's cache of providers is not made for more. */
let initializing: Promise<unknown> = Promise.resolve();

async function initializeStack(stack: SynthesizedFolder, options: DeployOptions): Promise<void> {
  const before = initializing;
  const initialized = before.then(() => initializeNow(stack, options));
  initializing = initialized.catch(() => undefined);
  await initialized;
}

async function initializeNow({ name, folder }: SynthesizedFolder, options: DeployOptions): Promise<void> {
  options.onProgress(`${name}: initialising`);
  const { logFile } = options;
  try {
    await initialize(folder, options.terraform, {
      logFile,
      onLine: (line) => options.onText?.(`${name}  ${line}`),
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new DeployError(name, error.tail, error);
  }
}

/** Reads what Terraform says about a stack. */
function listen(
  stack: SynthesizedFolder,
  { environment, logFile, onText, onProgress }: DeployOptions,
): { readonly events: DeployEvents; readonly output: TerraformOutput } {
  const events = new DeployEvents(environment, stack.name, constructPaths(stack.folder));
  return {
    events,
    output: {
      logFile,
      logged: (line) => {
        const { text, now } = events.take(line);
        if (now !== undefined) onProgress(now);
        if (text !== undefined) onText?.(text);
        return text;
      },
    },
  };
}
