/** `./scripts/plan`: what the next deploy would change, in every stack, without changing anything. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { requireDeployable } from '../operations/state/deployable';
import { DEFAULT_SOCKET, pinEngine, pinEngines, resolveEngine } from '../config/docker/docker-engine';
import { requireIntactState } from '../operations/state/intact-state';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { judgeHosts, meetHosts, whyEveryHost } from '../operations/docker/hosts/hosts-preflight';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { UsageError } from '../operations/lib/errors';
import { type PlannedStack, planReportOf, requireQuiet } from '../operations/terraform/plan/plan-environment';
import { copyForPlans, readPlanCopy, unpackPlanCopy, writePlanCopy } from '../operations/terraform/plan/plan-copy';
import { requireUnlocked } from '../operations/terraform/remote-state';
import { requireOwnTurn } from '../operations/terraform/turn';
import { planStack } from '../operations/terraform/plan/plan-stack';
import { type SynthesizedFolder, thisTerraform } from '../operations/terraform/terraform';
import type { PlanReport } from '../operations/terraform/plan/report';
import { EXIT } from '../operations/lib/print-error';
import { askEngine, engineUnreachable } from '../operations/docker/engine/docker-engine';
import { prepareToolchain, toolchainRequest } from '../operations/toolchain/prepare';
import type { Step } from '../operations/lib/step';
import { main, parseCommandLine } from './lib/command-line';
import { drivesStep } from '../operations/minio/drives/drives-step';
import { objectLockStep } from '../operations/minio/objects/object-lock-step';
import { describeCounts, planMarkdown, planText } from './lib/pages/plan-text';
import { showSteps } from './lib/progress';
import { synthesize } from './lib/synthesize';

const HELP = `Usage: ./scripts/plan [environment] [--from FILE] [--json | --markdown]
       ./scripts/plan [environment] --export FILE

Says what ./scripts/up would change, over all stacks, and changes nothing: no state, no secret, no container. It
prepares what it needs (see ./scripts/toolchain --help), but does not start Docker. Terraform plans each stack from what
the stacks before it left, so a stack whose predecessors change may change more than is said, which is said, too.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --export      write into FILE what a plan needs of the deployment, without any secret, and plan nothing
  --from        plan from such a file, on a machine that has neither the state folder nor access to Docker or Vault. What
                was changed by hand is not seen
  --json        print the plan as JSON; docs/plan.md describes it. Names of attributes, never values
  --markdown    print it as Markdown, for a comment on a pull request
  -h, --help    this text

The plan goes to stdout, progress and what Terraform says about errors to stderr; with --json or --markdown the plan for
people goes there, too.

Exit codes:
  0    no change
  1    a stack cannot be planned, or something else failed; the error says what and where
  2    changes
  64   wrong call or configuration
  130  interrupted
`;

const EXIT_OF: Readonly<Record<PlanReport['outcome'], number>> = {
  'no-change': EXIT.ok,
  changes: EXIT.changes,
  error: EXIT.failed,
};

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine('plan', args, {
    export: { type: 'string' },
    from: { type: 'string' },
    json: { type: 'boolean' },
    markdown: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { json, markdown, from, export: exported } = values;
  if (json && markdown) throw new UsageError('--json or --markdown, not both', 'See ./scripts/plan --help.');
  if (exported !== undefined && (from !== undefined || json || markdown)) {
    throw new UsageError('--export plans nothing, and goes with no other option', 'See ./scripts/plan --help.');
  }
  const loaded = loadEnvironment(positionals[0]);
  if (exported !== undefined) {
    await exportCopy(loaded, exported);
    return;
  }
  const report = from === undefined ? await planFromHere(loaded, signal) : await planFromCopy(loaded, from, signal);

  const forPrograms = json ? `${JSON.stringify(report, null, 2)}\n` : markdown && planMarkdown(report);
  (forPrograms ? process.stderr : process.stdout).write(planText(report));
  if (forPrograms) process.stdout.write(forPrograms);
  process.exitCode = EXIT_OF[report.outcome];
});

async function requireNobodyAtWork(loaded: LoadedEnvironment): Promise<void> {
  await requireQuiet(loaded.state);
  await requireUnlocked(loaded.environment);
  await requireOwnTurn(loaded);
}

async function exportCopy(loaded: LoadedEnvironment, file: string): Promise<void> {
  requireIntactState(loaded.environment.name, loaded.state);
  await requireNobodyAtWork(loaded);
  const copy = await copyForPlans(loaded);
  await requireNobodyAtWork(loaded);
  writePlanCopy(path.resolve(file), copy);
  process.stderr.write(`${file}: the copy of ${copy.environment} for plans, without secrets\n`);
}

async function planFromHere(loaded: LoadedEnvironment, signal: AbortSignal): Promise<PlanReport> {
  requireDeployable(loaded, process.env);
  pinEngines(loaded.environment);
  await requireNobodyAtWork(loaded);
  const report = await inTemporaryFolder((folder) =>
    planEnvironment(
      { loaded, folder, questions: [engineStep(loaded), drivesStep(loaded), objectLockStep(loaded)] },
      signal,
    ),
  );
  await requireNobodyAtWork(loaded);
  return report;
}

async function planFromCopy(declared: LoadedEnvironment, file: string, signal: AbortSignal): Promise<PlanReport> {
  const copy = readPlanCopy(file, declared.environment.name);
  // no engine is asked, whichever one a variable or a context names
  pinEngine({ host: DEFAULT_SOCKET });
  return inTemporaryFolder((folder) => {
    const { loaded, relocate } = unpackPlanCopy(copy, declared, path.join(folder, 'deployment'));
    return planEnvironment({ loaded, folder, copy: { at: copy.createdAt, relocate } }, signal);
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

async function planEnvironment(source: PlanSource, signal: AbortSignal): Promise<PlanReport> {
  const { loaded, folder, questions = [], copy } = source;
  const { environment } = loaded;
  const { prerequisites, builds } = prepareToolchain(toolchainRequest(environment));
  await showSteps([prerequisites, ...questions, ...builds], signal);
  const stacks = synthesize(loaded, folder);
  if (copy !== undefined) {
    for (const file of stacks.map((stack) => path.join(stack.folder, 'cdk.tf.json'))) {
      writeFileSync(file, copy.relocate(readFileSync(file, 'utf8')));
    }
  }
  const planned: PlannedStack[] = [];
  await showSteps(
    stacks.map((stack) => planStep(environment.name, stack, planned, copy === undefined)),
    signal,
  );
  const report = planReportOf(environment.name, planned, copy?.at);
  explainErrors(report, planned);
  return report;
}

/** What Terraform says about stacks that should be plannable. It may show values, so it is in no report. */
function explainErrors({ stacks }: PlanReport, planned: readonly PlannedStack[]): void {
  for (const { name, result } of planned) {
    const failed = stacks.some(({ stack, outcome }) => stack === name && outcome === 'error');
    if (!failed || result.kind !== 'failed') continue;
    process.stderr.write(`error: ${name} cannot be planned:\n${result.details.map((line) => `  ${line}\n`).join('')}`);
  }
}

/** Asks only: a Docker that is started starts containers, which is no plan. */
function engineStep(loaded: LoadedEnvironment): Step {
  return {
    title: 'Docker Engine',
    run: async ({ announce }) => {
      if (loaded.environment.hosts !== undefined) {
        const { warnings } = judgeHosts(await meetHosts(loaded.environment), whyEveryHost(loaded.state));
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

function planStep(environment: string, stack: SynthesizedFolder, planned: PlannedStack[], refresh: boolean): Step {
  return {
    title: stack.name,
    run: async ({ signal }) => {
      // a provider that is not asked for anything wants to have a token all the same
      const terraform = thisTerraform(signal, refresh ? {} : { VAULT_TOKEN: 'none' });
      const result = await planStack(stack, { ...terraform, refresh });
      planned.push({ name: stack.name, dependencies: stack.dependencies, result });
      const said = planReportOf(environment, planned).stacks.at(-1);
      return result.kind === 'planned' && said !== undefined ? describeCounts(said) : 'cannot be planned';
    },
  };
}
