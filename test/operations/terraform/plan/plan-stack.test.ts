import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { planStack, type StackResult } from '../../../../operations/terraform/plan/plan-stack';
import { terraformIsThere } from '../../../helpers/terraform';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { spawnSync } from 'node:child_process';

const folder = useTemporaryFolder();
const terraform = {
  terraform: process.env.TERRAFORM_BINARY_NAME ?? 'terraform',
  env: { PATH: process.env.PATH, HOME: process.env.HOME, TF_CLI_CONFIG_FILE: '/dev/null', CHECKPOINT_DISABLE: '1' },
  signal: new AbortController().signal,
  refresh: true,
};

/** A stack of an operation and of something that must not be destroyed, with its state beside it. */
function writeStack(settings: { operation?: string; data?: string } = {}): string {
  const stack = path.join(folder(), 'stack');
  mkdirSync(stack, { recursive: true });
  const json = {
    terraform: { backend: { local: { path: path.join(folder(), 'state', 'stack.tfstate') } } },
    resource: {
      terraform_data: {
        Operation: {
          triggers_replace: { input: JSON.stringify({ rule: settings.operation ?? 'a', secret: 'the-value' }) },
          provisioner: [{ 'local-exec': { command: 'true issue-certificates' } }],
        },
        Data: { triggers_replace: settings.data ?? 'a', lifecycle: { prevent_destroy: true } },
      },
    },
    output: { run: { value: '${terraform_data.Operation.id}' } },
  };
  writeFileSync(path.join(stack, 'cdk.tf.json'), JSON.stringify(json));
  return stack;
}

async function planned(stack: string): Promise<StackResult> {
  return planStack({ name: 'demo-stack', folder: stack, dependencies: [] }, terraform);
}

function deploy(stack: string): void {
  for (const args of [
    ['init', '-input=false'],
    ['apply', '-auto-approve', '-input=false'],
  ]) {
    const { status, stderr } = spawnSync(terraform.terraform, args, { cwd: stack, env: terraform.env });
    if (status !== 0) throw new Error(String(stderr));
  }
}

const OPERATION = {
  address: 'terraform_data.Operation',
  type: 'terraform_data',
  attributes: [],
  operation: 'issue-certificates',
};

/** By which a change in an earlier stack would reach this one, and this one later ones. */
const LINKS = {
  operations: [{ change: { ...OPERATION, actions: ['delete', 'create'] }, triggers: { input: [] } }],
  outputs: { run: ['terraform_data.Operation'] },
};

(terraformIsThere ? describe : describe.skip)('a stack that Terraform plans', () => {
  test('was never deployed: everything is created, and no folder for its state', async () => {
    const stack = writeStack();
    expect(await planned(stack)).toEqual({
      kind: 'planned',
      changed: true,
      changes: [
        { address: 'terraform_data.Data', type: 'terraform_data', actions: ['create'], attributes: [] },
        { ...OPERATION, actions: ['create'] },
      ],
      drift: [],
      outputs: ['run'],
      destroys: 0,
      links: LINKS,
    });
    expect(readdirSync(folder())).toEqual(['stack']);
  });

  test('is as it was deployed', async () => {
    const stack = writeStack();
    deploy(stack);
    expect(await planned(stack)).toMatchObject({ kind: 'planned', changed: false, changes: [], outputs: [] });
  });

  test('an operation runs again: what in its input changed is named, and no value is', async () => {
    deploy(writeStack());
    const result = await planned(writeStack({ operation: 'b' }));
    expect(result).toEqual({
      kind: 'planned',
      changed: true,
      changes: [{ ...OPERATION, actions: ['delete', 'create'], replaces: ['input.rule'] }],
      drift: [],
      outputs: ['run'],
      destroys: 0,
      links: LINKS,
    });
  });

  test('would destroy what must not be destroyed: refused, whatever other stacks do', async () => {
    deploy(writeStack());
    expect(await planned(writeStack({ data: 'b' }))).toMatchObject({
      kind: 'failed',
      problems: [{ summary: 'Instance cannot be destroyed', address: 'terraform_data.Data' }],
      details: [expect.stringContaining('terraform_data.Data has lifecycle.prevent_destroy set')],
      firstDeploy: undefined,
      final: true,
    });
  });

  test('cannot be planned and was never deployed: a first deploy creates all that is declared', async () => {
    const stack = writeStack({ data: '${file("/nonexistent/left by another stack")}' });
    expect(await planned(stack)).toMatchObject({
      kind: 'failed',
      problems: [{ summary: 'Invalid function argument' }],
      firstDeploy: [
        { ...OPERATION, actions: ['create'] },
        { address: 'terraform_data.Data', type: 'terraform_data', actions: ['create'], attributes: [] },
      ],
      final: false,
    });
  });

  test('has a state that cannot be read: deploying others first cannot help', async () => {
    const stack = writeStack();
    mkdirSync(path.join(folder(), 'state'));
    writeFileSync(path.join(folder(), 'state', 'stack.tfstate'), 'not a state');
    expect(await planned(stack)).toMatchObject({ kind: 'failed', firstDeploy: undefined, final: true });
    rmSync(path.join(folder(), 'state'), { recursive: true });
  });
});
