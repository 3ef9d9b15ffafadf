import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateLayout } from '../../../../config/state/layout';
import { tryLock } from '../../../../operations/lib/lock';
import { planReportOf, requireQuiet } from '../../../../operations/terraform/plan/plan-environment';
import type { StackResult } from '../../../../operations/terraform/plan/plan-stack';
import { type PlannedChange, planReport } from '../../../../operations/terraform/plan/report';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();

const created: PlannedChange = {
  address: 'docker_network.N',
  type: 'docker_network',
  actions: ['create'],
  attributes: [],
};
const operation: PlannedChange = {
  address: 'terraform_data.O',
  type: 'terraform_data',
  actions: ['delete', 'create'],
  attributes: [],
  operation: 'run-checks',
};

function plans(...changes: PlannedChange[]): StackResult {
  const links = { operations: [], outputs: {} };
  return { kind: 'planned', changed: changes.length > 0, changes, drift: [], outputs: [], destroys: 0, links };
}

function fails(more: { final?: boolean; firstDeploy?: PlannedChange[] } = {}): StackResult {
  const problems = [{ summary: 'connection refused' }];
  return { kind: 'failed', problems, details: [], final: more.final ?? false, firstDeploy: more.firstDeploy };
}

/** Three stacks, each after the one before. */
function reportOf(...results: StackResult[]) {
  const names = ['demo-a', 'demo-b', 'demo-c'];
  const report = planReportOf(
    'demo',
    results.map((result, index) => ({
      name: names[index] ?? '',
      dependencies: names.slice(Math.max(0, index - 1), index),
      result,
    })),
  );
  expect(planReport.parse(report)).toEqual(report);
  return report;
}

test.each([
  ['nothing changes', [plans(), plans(), plans()], 'no-change', ['no-change', 'no-change', 'no-change']],
  ['the last changes', [plans(), plans(), plans(operation)], 'changes', ['no-change', 'no-change', 'changes']],
  [
    'one fails behind what is created',
    [plans(created), fails(), plans()],
    'changes',
    ['changes', 'unknown', 'no-change'],
  ],
  ['one fails behind an unknown one', [plans(created), fails(), fails()], 'changes', ['changes', 'unknown', 'unknown']],
  ['one fails behind an operation', [plans(operation), fails(), plans()], 'error', ['changes', 'error', 'no-change']],
  ['one fails behind what does not change', [plans(), fails(), plans()], 'error', ['no-change', 'error', 'no-change']],
  ['one is refused', [plans(created), fails({ final: true }), plans()], 'error', ['changes', 'error', 'no-change']],
] as const)('%s', (_, results, outcome, outcomes) => {
  const report = reportOf(...results);
  expect(report.outcome).toBe(outcome);
  expect(report.stacks.map((stack) => stack.outcome)).toEqual(outcomes);
});

test('a stack names all that change before it, also those that it does not depend on itself', () => {
  const { stacks } = reportOf(plans(created), plans(), plans());
  expect(stacks.map(({ after }) => after)).toEqual([[], ['demo-a'], ['demo-a']]);
});

test('an operation runs when what it is triggered by is another after an earlier stack, and has others run', () => {
  const after = (address: string, triggers: Record<string, string[]>, outputs = {}): StackResult => ({
    ...(plans() as Extract<StackResult, { kind: 'planned' }>),
    links: { operations: [{ change: { ...operation, address }, triggers }], outputs },
  });
  const first: StackResult = {
    ...(plans(operation) as Extract<StackResult, { kind: 'planned' }>),
    links: { operations: [], outputs: { id: [operation.address], name: ['docker_volume.V'] } },
  };
  const second = after(
    'terraform_data.P',
    { keys: ['demo-a.id'], name: ['demo-a.name'] },
    { id: ['terraform_data.P'] },
  );
  const third = after('terraform_data.Q', { kes: ['demo-b.id'] });
  const { stacks } = reportOf(first, second, third);
  expect(stacks.map(({ outcome, changes }) => [outcome, changes.map(({ replaces }) => replaces)])).toEqual([
    ['changes', [undefined]],
    ['changes', [['keys']]],
    ['changes', [['kes']]],
  ]);
  // nothing is another
  expect(reportOf(plans(), second, third).outcome).toBe('no-change');
});

test('what a first deploy would create is said of a stack that cannot be planned yet', () => {
  const [, unknown] = reportOf(plans(created), fails({ firstDeploy: [created] })).stacks;
  expect(unknown).toMatchObject({ outcome: 'unknown', changes: [created], after: ['demo-a'] });
});

describe('an environment at which somebody works is not planned', () => {
  const state = () => stateLayout('demo', folder());

  test('nobody does', async () => {
    await expect(requireQuiet(state())).resolves.toBeUndefined();
  });

  test('a command of this project', async () => {
    const lock = await tryLock(state().lock, 'deploying demo');
    if (!('release' in lock)) throw new Error('the lock is taken');
    await expect(requireQuiet(state())).rejects.toThrow(
      /^the environment is being changed: process \d+ \(.*\) has been deploying demo since /,
    );
    lock.release();
    await expect(requireQuiet(state())).resolves.toBeUndefined();
  });

  test('plain cdktf', async () => {
    mkdirSync(state().terraform, { recursive: true });
    const file = path.join(state().terraform, '.minio.tfstate.lock.info');
    writeFileSync(file, '{}');
    await expect(requireQuiet(state())).rejects.toThrow(`the environment is being changed: Terraform holds ${file}`);
  });
});
