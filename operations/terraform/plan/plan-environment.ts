/** Plans every stack of an environment and says what that means for the whole. Nothing of the deployment is changed. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { StateLayout } from '../../../config/state/layout';
import { ExternalError } from '../../lib/errors';
import { describeHolder, lockHolder } from '../../lib/lock';
import type { StackResult } from './plan-stack';
import type { PlanReport, StackPlan } from './report';

type Planned = Extract<StackResult, { readonly kind: 'planned' }>;

/** A stack with what came of planning it. */
export interface PlannedStack {
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly result: StackResult;
}

/**
 * Puts the plans of the stacks together, in the order of deployment.
 *
 * | Terraform says | an earlier stack                    | the stack   |
 * |----------------|-------------------------------------|-------------|
 * | no change      | any                                 | `no-change` |
 * | changes        | any                                 | `changes`   |
 * | no change      | makes an operation of it run        | `changes`   |
 * | an error       | creates something, or is `unknown`  | `unknown`   |
 * | an error       | is as it was deployed               | `error`     |
 * | a refusal, or its state cannot be read | any         | `error`     |
 *
 * @param copiedAt when the copy was made that it was planned from. Default: it was planned from what there is
 */
export function planReportOf(environment: string, planned: readonly PlannedStack[], copiedAt?: string): PlanReport {
  const stacks: StackPlan[] = [];
  const renewed = new Set<string>();
  for (const { name, dependencies, result: alone } of planned) {
    const result = alone.kind === 'planned' ? followed(name, alone, renewed) : alone;
    const before = earlier(dependencies, planned).flatMap((one) => stacks.filter(({ stack }) => stack === one));
    const after = before.filter(({ outcome }) => outcome === 'changes' || outcome === 'unknown');
    const incomplete = after.some(({ outcome, changes }) => outcome === 'unknown' || changes.some(createsSomething));
    stacks.push({ stack: name, ...outcomeOf(result, incomplete), after: after.map(({ stack }) => stack) });
  }
  const has = (outcome: StackPlan['outcome']): boolean => stacks.some((stack) => stack.outcome === outcome);
  return {
    version: 1,
    environment,
    ...(copiedAt === undefined ? {} : { copiedAt }),
    outcome: has('error') ? 'error' : has('changes') || has('unknown') ? 'changes' : 'no-change',
    stacks,
  };
}

/**
 * Adds the operations that run because of what earlier stacks change, which Terraform cannot see: it plans each stack from
 * what the others left.
 *
 * @param renewed what is another afterwards, `stack.output` and addresses; that of this stack is added
 */
function followed(name: string, result: Planned, renewed: Set<string>): Planned {
  const own = new Set(result.changes.flatMap((change) => (change.actions.includes('create') ? [change.address] : [])));
  const isRenewed = (reference: string): boolean => renewed.has(reference) || own.has(reference);
  const changes = [...result.changes];
  for (let before = -1; before !== own.size;) {
    before = own.size;
    for (const { change, triggers } of result.links.operations) {
      const replaces = Object.keys(triggers).filter((trigger) => triggers[trigger]?.some(isRenewed));
      if (replaces.length === 0 || own.has(change.address)) continue;
      own.add(change.address);
      changes.push({ ...change, replaces });
    }
  }
  for (const [output, references] of Object.entries(result.links.outputs)) {
    if (references.some((reference) => own.has(reference))) renewed.add(`${name}.${output}`);
  }
  return { ...result, changes, changed: result.changed || changes.length > result.changes.length };
}

function outcomeOf(result: StackResult, incomplete: boolean): Omit<StackPlan, 'stack' | 'after'> {
  if (result.kind === 'planned') {
    const { changed, changes, drift, outputs, destroys } = result;
    return { outcome: changed ? 'changes' : 'no-change', changes, drift, outputs, destroys, problems: [] };
  }
  const nothing = { drift: [], outputs: [], destroys: 0, problems: [...result.problems] };
  if (result.final || !incomplete) return { outcome: 'error', changes: [], ...nothing };
  return { outcome: 'unknown', changes: [...(result.firstDeploy ?? [])], ...nothing };
}

function createsSomething({ actions, operation }: StackPlan['changes'][number]): boolean {
  return operation === undefined && actions.includes('create');
}

/** All stacks that are deployed before one with these dependencies, in the order of deployment. */
function earlier(dependencies: readonly string[], planned: readonly PlannedStack[]): string[] {
  const found = new Set<string>();
  const add = (names: readonly string[]): void => {
    for (const name of names) {
      found.add(name);
      add(planned.find((stack) => stack.name === name)?.dependencies ?? []);
    }
  };
  add(dependencies);
  return planned.flatMap(({ name }) => (found.has(name) ? [name] : []));
}

/**
 * Refuses while something is changing the environment: asked before and after planning, because a plan of half a deploy
 * means nothing. A plan itself takes no lock, so that it never is in the way of a deploy.
 *
 * @throws ExternalError that names who is at work
 */
export async function requireQuiet({ lock, terraform }: Pick<StateLayout, 'lock' | 'terraform'>): Promise<void> {
  const holder = await lockHolder(lock);
  if (holder !== undefined) {
    throw new ExternalError(
      `the environment is being changed: ${describeHolder(holder)}`,
      'Plan again when it is done.',
    );
  }
  // plain cdktf takes no other lock than Terraform's
  const names = existsSync(terraform) ? readdirSync(terraform) : [];
  const [locked] = names.filter((name) => name.endsWith('.lock.info'));
  if (locked !== undefined) {
    throw new ExternalError(
      `the environment is being changed: Terraform holds ${path.join(terraform, locked)}`,
      'Plan again when it is done. If no Terraform runs, one was killed: remove that file.',
    );
  }
}
