/** `./scripts/plan`: what the next deploy would change, in every stack, without changing anything. */
import { TerraformStack } from 'cdktf';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { requireDeployable } from '../operations/state/deployable';
import { pinEngine, resolveEngine } from '../config/docker-engine';
import { type LoadedEnvironment, loadEnvironment } from '../config/load';
import { projectRoot } from '../config/toolchain';
import { requireOwnEngine } from '../operations/docker/engine-identity';
import { UsageError } from '../operations/lib/errors';
import { type PlannedStack, planReportOf, requireQuiet } from '../operations/terraform/plan/plan-environment';
import { requireUnlocked } from '../operations/terraform/remote-state';
import { planStack, type StackToPlan } from '../operations/terraform/plan/plan-stack';
import type { PlanReport } from '../operations/terraform/plan/report';
import { EXIT } from '../operations/lib/print-error';
import { askEngine, engineUnreachable } from '../operations/docker/docker-engine';
import { prepareToolchain } from '../operations/toolchain/prepare';
import type { Step } from '../operations/lib/step';
import { declareApp } from '../stacks/app';
import { main, parseCommandLine } from './lib/command-line';
import { objectLockStep } from './lib/object-lock-step';
import { describeCounts, planMarkdown, planText } from './lib/plan-text';
import { showSteps } from './lib/progress';

const HELP = `Usage: ./scripts/plan [environment] [--json | --markdown]

Says what ./scripts/up would change, over all stacks, and changes nothing: no state, no secret, no container. It
prepares what it needs (see ./scripts/toolchain --help), but does not start Docker. Terraform plans each stack from what
the stacks before it left, so a stack whose predecessors change may change more than is said, which is said, too.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --json        print the plan as JSON; docs/operations.md describes it. Names of attributes, never values
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
    json: { type: 'boolean' },
    markdown: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (values.json && values.markdown)
    throw new UsageError('--json or --markdown, not both', 'See ./scripts/plan --help.');
  const loaded = loadEnvironment(positionals[0]);
  requireDeployable(loaded, process.env);
  pinEngine(loaded.environment.docker);

  await requireNobodyAtWork(loaded);
  const report = await planEnvironment(loaded, signal);
  await requireNobodyAtWork(loaded);

  const forPrograms = values.json ? `${JSON.stringify(report, null, 2)}\n` : values.markdown && planMarkdown(report);
  (forPrograms ? process.stderr : process.stdout).write(planText(report));
  if (forPrograms) process.stdout.write(forPrograms);
  process.exitCode = EXIT_OF[report.outcome];
});

async function requireNobodyAtWork({ environment, state }: LoadedEnvironment): Promise<void> {
  await requireQuiet(state);
  await requireUnlocked(environment);
}

async function planEnvironment(loaded: LoadedEnvironment, signal: AbortSignal): Promise<PlanReport> {
  const { environment } = loaded;
  const { prerequisites, builds } = prepareToolchain({
    images: environment.images.source,
    providers: environment.providers,
  });
  // plan files hold values
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-plan-'));
  try {
    await showSteps([prerequisites, engineStep(loaded), objectLockStep(loaded), ...builds], signal);
    const stacks = synthesize(loaded, folder);
    const planned: PlannedStack[] = [];
    await showSteps(
      stacks.map((stack) => planStep(stack, planned)),
      signal,
    );
    const report = planReportOf(environment.name, planned);
    explainErrors(report, planned);
    return report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The stacks in the order of deployment, which is the one in which they are declared. */
function synthesize(loaded: LoadedEnvironment, outdir: string): StackToPlan[] {
  const app = declareApp(loaded, outdir);
  app.synth();
  return app.node.children
    .filter((child) => TerraformStack.isStack(child))
    .map((stack) => ({
      name: stack.node.id,
      folder: path.join(outdir, 'stacks', stack.node.id),
      dependencies: stack.dependencies.map(({ node }) => node.id),
    }));
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
    run: async () => {
      const answer = await askEngine();
      if ('problem' in answer) {
        throw engineUnreachable(answer.cause, resolveEngine({}, process.env));
      }
      await requireOwnEngine(loaded);
      return `${answer.version}, ${answer.architecture}`;
    },
  };
}

function planStep(stack: StackToPlan, planned: PlannedStack[]): Step {
  const bin = path.join(projectRoot, 'node_modules', '.bin');
  return {
    title: stack.name,
    run: async ({ signal }) => {
      const result = await planStack(stack, {
        terraform: path.join(bin, 'terraform'),
        env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}`, TF_IN_AUTOMATION: '1' },
        signal,
      });
      planned.push({ name: stack.name, dependencies: stack.dependencies, result });
      return result.kind === 'planned' ? describeCounts(result) : 'cannot be planned';
    },
  };
}
