/** Lets Terraform plan one synthesized stack. Nothing is written but into the folder of the stack. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CommandError } from '../../lib/command';
import { diagnosticOf, initialize, runTerraform, type SynthesizedFolder, type TerraformRun } from '../terraform';
import { REFUSED, refusedAddress } from './protection';
import type { Problem } from './report';
import { firstDeploy, linksOf, type StackLinks, type StackSummary, summarizePlan } from './summarize';
import { type SynthesizedStack, synthesizedStack, type TerraformPlan, terraformPlan } from './terraform-plan';

export interface PlanRun extends TerraformRun {
  /** Whether Docker and Vault are asked what there is. */
  readonly refresh: boolean;
}

/** What came of it. */
export type StackResult =
  | ({ readonly kind: 'planned'; readonly changed: boolean; readonly links: StackLinks } & StackSummary)
  | {
      readonly kind: 'failed';
      readonly problems: readonly Problem[];
      /** The same for a person at this machine, with what Terraform says about them. */
      readonly details: readonly string[];
      /** What a first deploy would create, where the stack was never deployed; `undefined` where it was. */
      readonly firstDeploy: StackSummary['changes'] | undefined;
      /** Its state cannot be reached or read, or the plan is refused: deploying other stacks first cannot help. */
      readonly final: boolean;
    };

/** Holds values: see {@link planStack}. */
const PLAN_FILE = 'plan';

/**
 * Plans a stack. The plan file, which holds values, stays in the folder: the caller removes it.
 *
 * Without Terraform's own lock: taking it would create files where nothing was deployed, and make a deploy fail that
 * begins meanwhile.
 */
export async function planStack({ folder }: SynthesizedFolder, terraform: PlanRun): Promise<StackResult> {
  const declared = synthesizedStack.parse(JSON.parse(readFileSync(path.join(folder, 'cdk.tf.json'), 'utf8')));
  try {
    await initialize(folder, terraform);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const problem = { summary: 'Terraform cannot be initialised: its state or its providers cannot be reached' };
    return { kind: 'failed', problems: [problem], details: error.tail, firstDeploy: undefined, final: true };
  }
  const lines: string[] = [];
  const take = (line: string): void => void lines.push(line);
  let changed = false;
  try {
    await runTerraform(
      folder,
      terraform,
      [
        ...['plan', '-json', '-input=false', '-lock=false', '-detailed-exitcode', `-out=${PLAN_FILE}`],
        ...(terraform.refresh ? [] : ['-refresh=false']),
      ],
      { onLine: take },
    );
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.exitCode !== 2) return failed(folder, terraform, declared, lines, error);
    changed = true;
  }
  const summary = summarizePlan(await shownPlan(folder, terraform, PLAN_FILE), declared);
  return { kind: 'planned', changed, links: linksOf(declared), ...summary };
}

/** What Terraform shows of a plan file, without writing it anywhere: it holds values. */
export async function shownPlan(folder: string, terraform: TerraformRun, file: string): Promise<TerraformPlan> {
  const shown: string[] = [];
  await runTerraform(folder, terraform, ['show', '-json', file], { onLine: (line) => void shown.push(line) });
  return terraformPlan.parse(JSON.parse(shown.find((line) => line.startsWith('{')) ?? ''));
}

async function failed(
  folder: string,
  terraform: TerraformRun,
  declared: SynthesizedStack,
  lines: readonly string[],
  error: CommandError,
): Promise<StackResult> {
  const diagnostics = lines.flatMap((line) => {
    const diagnostic = diagnosticOf(line);
    return diagnostic === undefined ? [] : [diagnostic];
  });
  const problems = diagnostics.map(({ summary, detail, address = refusedAddress(detail) }) => ({
    summary: firstLine(summary),
    ...(address === undefined ? {} : { address }),
  }));
  const state: string[] = [];
  let readable = true;
  try {
    await runTerraform(folder, terraform, ['state', 'pull'], { onLine: (line) => void state.push(line) });
  } catch (pullError) {
    if (!(pullError instanceof CommandError)) throw pullError;
    readable = false;
  }
  const deployed = !readable || state.some((line) => line.trim() !== '');
  return {
    kind: 'failed',
    problems: problems.length === 0 ? [{ summary: error.message }] : problems,
    details:
      diagnostics.length === 0
        ? error.tail
        : diagnostics.map(({ summary, detail }) => (detail === '' ? summary : `${summary}: ${detail}`)),
    firstDeploy: deployed ? undefined : firstDeploy(declared),
    final: !readable || problems.some(({ summary }) => summary === REFUSED),
  };
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
