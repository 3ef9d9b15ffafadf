/** Plans an environment from what there is, or from a copy of its state without secrets. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DEFAULT_SOCKET, pinEngine, pinEngines, resolveEngine } from '../../../config/docker/docker-engine';
import { askEngine, engineUnreachable } from '../../docker/engine/docker-engine';
import { requireOwnEngine } from '../../docker/engine/engine-identity';
import { requireSameVaults } from '../../docker/hosts/same-vaults';
import { judgeHosts, meetHosts, requireAnswers, whyEveryHost } from '../../docker/hosts/hosts-preflight';
import type { Step } from '../../lib/step';
import { drivesStep } from '../../minio/drives/drives-step';
import { objectLockStep } from '../../minio/objects/object-lock-step';
import { requireDeployable } from '../../state/deployable';
import { requireIntactState } from '../../state/intact-state';
import type { LoadedEnvironment } from '../../state/load';
import { readHostNote } from '../../state/notes/hosts-note';
import { prepareToolchain, toolchainRequest } from '../../toolchain/prepare';
import type { Synthesize } from '../deploy-step';
import { requireUnlocked } from '../remote-state';
import { type SynthesizedFolder, thisTerraform } from '../terraform';
import { requireOwnTurn } from '../turn';
import { copyForPlans, type PlanCopy, readPlanCopy, unpackPlanCopy } from './plan-copy';
import { type PlannedStack, planReportOf, requireQuiet } from './plan-environment';
import { planStack } from './plan-stack';
import type { PlanReport, StackPlan } from './report';

/** What a command hands over. */
export interface PlanMeans {
  readonly synthesize: Synthesize;
  readonly show: (steps: readonly Step[]) => Promise<void>;
  /** Says of a stack that is planned what is to change. */
  readonly describe: (stack: StackPlan) => string;
  /** Says what Terraform says about a stack that cannot be planned. It may show values, so it is in no report. */
  readonly explain: (stack: string, details: readonly string[]) => void;
}

/** @throws ExternalError while something changes the environment */
async function requireNoOtherAtWork(loaded: LoadedEnvironment): Promise<void> {
  await requireQuiet(loaded.state);
  await requireUnlocked(loaded.environment);
  await requireOwnTurn(loaded);
}

/** What a plan needs of the deployment, without any secret. */
export async function exportCopy(loaded: LoadedEnvironment): Promise<PlanCopy> {
  requireIntactState(loaded.environment.name, loaded.state);
  await requireNoOtherAtWork(loaded);
  const copy = await copyForPlans(loaded);
  await requireNoOtherAtWork(loaded);
  return copy;
}

export async function planFromHere(loaded: LoadedEnvironment, means: PlanMeans): Promise<PlanReport> {
  requireDeployable(loaded, process.env);
  pinEngines(loaded.environment);
  await requireNoOtherAtWork(loaded);
  const questions = [engineStep(loaded), drivesStep(loaded), objectLockStep(loaded)];
  const report = await inTemporaryFolder((folder) => planEnvironment({ loaded, folder, questions }, means));
  await requireNoOtherAtWork(loaded);
  return report;
}

/** @param file what {@link exportCopy} gave */
export async function planFromCopy(declared: LoadedEnvironment, file: string, means: PlanMeans): Promise<PlanReport> {
  const copy = readPlanCopy(file, declared.environment.name);
  // no engine is asked, whichever one a variable or a context names
  pinEngine({ host: DEFAULT_SOCKET });
  return inTemporaryFolder((folder) => {
    const { loaded, relocate } = unpackPlanCopy(copy, declared, path.join(folder, 'deployment'));
    return planEnvironment({ loaded, folder, copy: { at: copy.createdAt, relocate } }, means);
  });
}

/** Plan files hold values. */
async function inTemporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-plan-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface PlanSource {
  readonly loaded: LoadedEnvironment;
  /** Where stacks and plans go. */
  readonly folder: string;
  /** What is asked of what there is, before anything is planned. Default: nothing */
  readonly questions?: readonly Step[];
  /** That it is a copy, when it was made, and how what is synthesized is fitted to it. */
  readonly copy?: { readonly at: string; readonly relocate: (synthesized: string) => string };
}

async function planEnvironment(
  { loaded, folder, questions = [], copy }: PlanSource,
  { synthesize, show, describe, explain }: PlanMeans,
): Promise<PlanReport> {
  const { environment } = loaded;
  const { prerequisites, builds } = prepareToolchain(toolchainRequest(environment));
  await show([prerequisites, ...questions, ...builds]);
  const stacks = synthesize(loaded, folder);
  if (copy !== undefined) {
    for (const file of stacks.map((stack) => path.join(stack.folder, 'cdk.tf.json'))) {
      writeFileSync(file, copy.relocate(readFileSync(file, 'utf8')));
    }
  }
  const planned: PlannedStack[] = [];
  const planStep = (stack: SynthesizedFolder): Step => ({
    title: stack.name,
    run: async ({ signal }) => {
      const refresh = copy === undefined;
      // a provider that is not asked for anything wants to have a token all the same
      const terraform = thisTerraform(signal, refresh ? {} : { VAULT_TOKEN: 'none' });
      const result = await planStack(stack, { ...terraform, refresh });
      planned.push({ name: stack.name, dependencies: stack.dependencies, result });
      const found = planReportOf(environment.name, planned).stacks.at(-1);
      return result.kind === 'planned' && found !== undefined ? describe(found) : 'cannot be planned';
    },
  });
  await show(stacks.map(planStep));
  const report = planReportOf(environment.name, planned, copy?.at);
  for (const { name, result } of planned) {
    const failed = report.stacks.some(({ stack, outcome }) => stack === name && outcome === 'error');
    if (failed && result.kind === 'failed') explain(name, result.details);
  }
  return report;
}

/** Asks only: a Docker that is started starts containers, which is no plan. */
function engineStep(loaded: LoadedEnvironment): Step {
  return {
    title: 'Docker Engine',
    run: async ({ announce }) => {
      if (loaded.environment.hosts !== undefined) {
        await requireSameVaults(loaded);
        const { environment, state } = loaded;
        const met = await meetHosts(environment, (host) => readHostNote(state, host));
        const { warnings } = judgeHosts(met, whyEveryHost(state, met));
        requireAnswers(met, 'a plan needs every host; ./scripts/up goes on without one that is away');
        for (const warning of warnings) announce(warning);
        return undefined;
      }
      const answer = await askEngine();
      if ('problem' in answer) {
        throw engineUnreachable(answer.cause, resolveEngine({}, process.env));
      }
      await requireOwnEngine(loaded);
      return `${answer.version}, ${answer.architecture}`;
    },
  };
}
