/** `./scripts/plan`: what the next deploy would change, in every stack, without changing anything. */
import path from 'node:path';
import { UsageError } from '../operations/lib/errors';
import { EXIT } from '../operations/lib/print-error';
import { loadEnvironment } from '../operations/state/load';
import { writePlanCopy } from '../operations/terraform/plan/plan-copy';
import { exportCopy, planFromCopy, planFromHere, type PlanMeans } from '../operations/terraform/plan/plan-deployment';
import type { PlanReport } from '../operations/terraform/plan/report';
import { command, FLAG, TEXT } from './lib/command-line';
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

const OPTIONS = { export: TEXT, from: TEXT, json: FLAG, markdown: FLAG };

void command('plan', HELP, OPTIONS, async ({ values, positionals, signal }) => {
  const { json, markdown, from, export: exported } = values;
  if (json && markdown) throw new UsageError('--json or --markdown, not both', 'See ./scripts/plan --help.');
  if (exported !== undefined && (from !== undefined || json || markdown)) {
    throw new UsageError('--export plans nothing, and goes with no other option', 'See ./scripts/plan --help.');
  }
  const loaded = loadEnvironment(positionals[0]);
  if (exported !== undefined) {
    const copy = await exportCopy(loaded);
    writePlanCopy(path.resolve(exported), copy);
    process.stderr.write(`${exported}: the copy of ${copy.environment} for plans, without secrets\n`);
    return;
  }
  const means: PlanMeans = {
    synthesize,
    show: (steps) => showSteps(steps, signal),
    describe: describeCounts,
    explain: (stack, details) => {
      process.stderr.write(`error: ${stack} cannot be planned:\n${details.map((line) => `  ${line}\n`).join('')}`);
    },
  };
  const report = from === undefined ? await planFromHere(loaded, means) : await planFromCopy(loaded, from, means);

  const forPrograms = json ? `${JSON.stringify(report, null, 2)}\n` : markdown && planMarkdown(report);
  (forPrograms ? process.stderr : process.stdout).write(planText(report));
  if (forPrograms) process.stdout.write(forPrograms);
  process.exitCode = EXIT_OF[report.outcome];
});
