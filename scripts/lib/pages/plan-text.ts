/** A plan for people: as text for the terminal, as Markdown for a pull request. */
import { howToAllow, lossOf, REFUSED } from '../../../operations/terraform/plan/protection';
import type { PlannedChange, PlanReport, StackPlan } from '../../../operations/terraform/plan/report';

/** How many changes of which kind. */
interface Counts {
  readonly create: number;
  readonly update: number;
  readonly replace: number;
  readonly delete: number;
  /** Operations that run, whether for the first time or again. */
  readonly run: number;
  /** What Terraform knows no more, and does not delete. */
  readonly forget: number;
}

type Kind = keyof Counts;

const SIGNS: Readonly<Record<Kind, string>> = {
  create: '+',
  update: '~',
  replace: '-/+',
  delete: '-',
  run: 'run',
  forget: '.',
};

const WORDS: Readonly<Record<Kind, string>> = {
  create: 'to create',
  update: 'to change',
  replace: 'to replace',
  delete: 'to delete',
  run: 'to run',
  forget: 'to forget',
};

const KINDS = Object.keys(SIGNS) as Kind[];
/** What is forgotten is rare, and has no column. */
const COLUMNS = KINDS.filter((kind) => kind !== 'forget');

function kindOf({ actions, operation }: PlannedChange): Kind {
  if (actions.includes('create')) {
    if (operation !== undefined) return 'run';
    return actions.includes('delete') ? 'replace' : 'create';
  }
  if (actions.includes('forget')) return 'forget';
  return actions.includes('update') ? 'update' : 'delete';
}

function count(changes: readonly PlannedChange[]): Counts {
  const of = (kind: Kind): number => changes.filter((change) => kindOf(change) === kind).length;
  return {
    create: of('create'),
    update: of('update'),
    replace: of('replace'),
    delete: of('delete'),
    run: of('run'),
    forget: of('forget'),
  };
}

/** `1 to change, 1 to run`, or `no change`. */
export function describeCounts({ changes, outputs }: Pick<StackPlan, 'changes' | 'outputs'>): string {
  const counts = count(changes);
  const parts = KINDS.filter((kind) => counts[kind] > 0).map((kind) => `${counts[kind]} ${WORDS[kind]}`);
  if (parts.length > 0) return parts.join(', ');
  return outputs.length > 0 ? 'only outputs' : 'no change';
}

export function planText(report: PlanReport): string {
  const width = Math.max(5, ...report.stacks.map(({ stack }) => stack.length));
  const row = (stack: string, outcome: string, cells: readonly string[]): string =>
    `  ${stack.padEnd(width)}  ${outcome.padEnd(9)}${cells.map((cell) => cell.padStart(5)).join('')}`;
  const table = [
    row(
      'stack',
      'outcome',
      COLUMNS.map((kind) => SIGNS[kind]),
    ),
    ...report.stacks.map((stack) => row(stack.stack, words(stack.outcome), cells(stack))),
  ];
  const details = report.stacks.filter(saysMore).map((stack) => [stack.stack, ...lines(stack).map(indent)].join('\n'));
  return `${[headline(report), ...provisos(report), ...lossesOf(report).map((loss) => `!!! ${loss}`), '', ...table, ...details.flatMap((text) => ['', text])].join('\n')}\n`;
}

export function planMarkdown(report: PlanReport): string {
  const header = ['Stack', 'Outcome', ...COLUMNS.map((kind) => `\`${SIGNS[kind]}\``)];
  const table = [
    `| ${header.join(' | ')} |`,
    `|${header.map((_, index) => (index < 2 ? ' --- ' : ' --: ')).join('|')}|`,
    ...report.stacks.map((stack) => `| ${[code(stack.stack), words(stack.outcome), ...cells(stack)].join(' | ')} |`),
  ];
  const details = report.stacks
    .filter(saysMore)
    .map((stack) => ['<details>', `<summary>${stack.stack}</summary>`, '', fenced(lines(stack)), '', '</details>']);
  return `${[
    markerOf(report.environment),
    `### ${headline(report)}`,
    ...provisos(report).flatMap((proviso) => ['', proviso]),
    ...lossesOf(report).flatMap((loss) => ['', '> [!CAUTION]', `> **${loss}**`]),
    '',
    ...table,
    ...details.flatMap((text) => ['', ...text]),
  ].join('\n')}\n`;
}

/** The first line of the Markdown, by which a pipeline finds the comment that it wrote before. */
function markerOf(environment: string): string {
  return `<!-- encrypted-backup-storage plan of ${environment} -->`;
}

function headline({ environment, outcome, stacks }: PlanReport): string {
  if (outcome === 'no-change') return `Plan of ${environment}: no change`;
  const total = describeCounts({
    changes: stacks.flatMap(({ changes }) => changes),
    outputs: stacks.flatMap(({ outputs }) => outputs),
  });
  if (outcome === 'changes') return `Plan of ${environment}: ${total}`;
  const broken = stacks.filter((stack) => stack.outcome === 'error').map(({ stack }) => stack);
  return `Plan of ${environment}: ${broken.join(', ')} cannot be planned`;
}

function provisos({ copiedAt }: PlanReport): string[] {
  return copiedAt === undefined
    ? []
    : [`planned from a copy of ${copiedAt}: what changed since, or was changed by hand, is not in it`];
}

function lossesOf({ environment, stacks }: PlanReport): string[] {
  return stacks.flatMap(({ stack, changes, problems }) => [
    ...changes
      .filter(({ destroysData }) => destroysData)
      .map(({ address }) => `DESTROYS DATA: ${address} in ${stack}. Nothing brings back ${lossOf(address)}.`),
    ...problems
      .filter(({ summary }) => summary === REFUSED)
      .map(
        ({ address = 'something' }) =>
          `REFUSED: ${stack} would delete or replace ${address}. This would lose ${lossOf(address)}. To continue, ${howToAllow(environment)}.`,
      ),
  ]);
}

function words(outcome: StackPlan['outcome']): string {
  return outcome === 'no-change' ? 'no change' : outcome;
}

function cells({ outcome, changes }: StackPlan): string[] {
  const counts = count(changes);
  const isKnown = outcome !== 'error' && (outcome !== 'unknown' || changes.length > 0);
  return COLUMNS.map((kind) => (isKnown ? String(counts[kind]) : '?'));
}

function saysMore({ outcome, after, drift }: StackPlan): boolean {
  return outcome !== 'no-change' || after.length > 0 || drift.length > 0;
}

function lines({ outcome, changes, drift, outputs, after, problems }: StackPlan): string[] {
  return [
    ...note(outcome, after, changes.length > 0),
    ...(outcome === 'unknown' ? [] : problems).map(
      ({ summary, address }) => `error: ${summary}${address === undefined ? '' : ` (${address})`}`,
    ),
    ...drift.map(
      ({ address, actions, attributes }) =>
        `outside of this project ${address} was ${actions.includes('delete') ? 'deleted' : `changed: ${attributes.join(', ')}`}`,
    ),
    ...changes.map(describeChange),
    ...(outputs.length === 0
      ? []
      : [`${SIGNS.update.padEnd(3)} ${outputs.length === 1 ? '1 output' : `${outputs.length} outputs`}`]),
  ];
}

function note(outcome: StackPlan['outcome'], after: readonly string[], creates: boolean): string[] {
  const names = after.join(', ');
  if (outcome === 'unknown') {
    const then = creates ? 'everything in it will be created' : 'what changes in it is not known yet';
    return [`cannot be planned before ${names} ${after.length === 1 ? 'is' : 'are'} deployed: ${then}`];
  }
  if (outcome === 'error' || after.length === 0) return [];
  return ['planned from what is deployed now; the stacks before it may change more in it'];
}

function describeChange(change: PlannedChange): string {
  const kind = kindOf(change);
  const names = (change.replaces ?? change.attributes).join(', ');
  const because = names === '' ? '' : ` (${names})`;
  const what =
    kind === 'run' ? `${change.operation ?? ''}${because}: ${change.address}` : `${change.address}${because}`;
  const concerns = change.concerns === undefined ? '' : `: ${change.concerns.join(', ')}`;
  return `${SIGNS[kind].padEnd(3)} ${what}${concerns}${change.destroysData ? '  !!! DESTROYS DATA' : ''}${kind === 'forget' ? '  (Terraform forgets it, and it stays)' : ''}`;
}

function indent(line: string): string {
  return `  ${line}`;
}

function code(text: string): string {
  return `\`${text}\``;
}

/** A block that nothing in it can end. */
function fenced(content: readonly string[]): string {
  const text = content.join('\n');
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(Math.max(3, longest + 1));
  return `${fence}text\n${text}\n${fence}`;
}
