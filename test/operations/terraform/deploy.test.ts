import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DeployError, deployStacks, requireKept } from '../../../operations/terraform/deploy';
import { terraformPlan } from '../../../operations/terraform/plan/terraform-plan';
import type { SynthesizedFolder } from '../../../operations/terraform/terraform';
import { terraformIsThere } from '../../helpers/terraform';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const env = {
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  TF_CLI_CONFIG_FILE: '/dev/null',
  CHECKPOINT_DISABLE: '1',
};

/** Stacks `a` and `b`; `b` reads the file that the operation of `a` writes, as a stack reads what an earlier one made. */
function writeStacks(value: string, operation = ''): SynthesizedFolder[] {
  const written = path.join(folder(), 'written');
  const stack = (name: string, resource: object): SynthesizedFolder => {
    const place = path.join(folder(), name);
    mkdirSync(place, { recursive: true });
    const json = {
      terraform: { backend: { local: { path: path.join(folder(), 'state', `${name}.tfstate`) } } },
      resource: { terraform_data: { Run: { '//': { metadata: { path: `${name}/Run/Resource` } }, ...resource } } },
    };
    writeFileSync(path.join(place, 'cdk.tf.json'), JSON.stringify(json));
    return { name, folder: place, dependencies: [] };
  };
  const command = `printf %s '${value}' >'${written}'; ${operation}`;
  return [
    stack('a', { triggers_replace: value, provisioner: [{ 'local-exec': { command } }] }),
    stack('b', { triggers_replace: `\${file("${written}")}` }),
  ];
}

interface Deployed {
  readonly changes: Record<string, string>;
  readonly text: string;
}

async function deploy(stacks: readonly SynthesizedFolder[], signal = new AbortController().signal): Promise<Deployed> {
  const changes: Record<string, string> = {};
  const logFile = path.join(folder(), 'deploy.log');
  await deployStacks(stacks, {
    environment: 'demo',
    terraform: { terraform: process.env.TERRAFORM_BINARY_NAME ?? 'terraform', env, signal },
    logFile,
    onProgress: () => undefined,
    onDeployed: (stack, what) => void (changes[stack] = what),
  });
  return { changes, text: readFileSync(logFile, 'utf8') };
}

(terraformIsThere ? describe : describe.skip)('stacks that Terraform deploys', () => {
  test('are made in their order, then unchanged, and a change reaches what reads it', async () => {
    expect((await deploy(writeStacks('1'))).changes).toEqual({ a: '1 run', b: '1 run' });
    expect((await deploy(writeStacks('1'))).changes).toEqual({ a: 'no change', b: 'no change' });
    // the plan of b that was made beside the one of a had read 1
    const { changes, text } = await deploy(writeStacks('2'));
    expect(changes).toEqual({ a: '1 run', b: '1 run' });
    expect(text).toContain('a  terraform_data.Run (Run/Resource): Creating...');
    for (const { folder: stack } of writeStacks('2')) expect(existsSync(path.join(stack, 'plan'))).toBe(false);
  });

  test('are planned once more where a plan beside the others failed, because an earlier one makes what it reads', async () => {
    await deploy(writeStacks('1'));
    const stacks = writeStacks('2');
    rmSync(path.join(folder(), 'written'));
    expect((await deploy(stacks)).changes).toEqual({ a: '1 run', b: '1 run' });
    // positive control: where nothing before it changes, it is an error
    rmSync(path.join(folder(), 'written'));
    expect(await rejectionOf(deploy(stacks))).toMatchObject({ failedStack: 'b' });
  });

  test('are initialised again where Terraform asks for it, and only then', async () => {
    const stacks = writeStacks('1');
    await deploy(stacks);
    const inits = (text: string): number => text.match(/^# \S+ \S+ init /gm)?.length ?? 0;
    expect(inits((await deploy(stacks)).text)).toBe(2);
    const [a] = stacks;
    if (a === undefined) throw new Error('no stack');
    // a folder that was initialised for another backend
    rmSync(path.join(a.folder, '.terraform', 'terraform.tfstate'));
    const again = await deploy(stacks);
    expect(again.changes).toEqual({ a: 'no change', b: 'no change' });
    expect(inits(again.text)).toBe(3);
  });

  test('stop at the first that fails, whose operation says why', async () => {
    const failing = writeStacks('1', "echo 'error: no' >&2; exit 1");
    const error = await rejectionOf(deploy(failing));
    expect(error).toBeInstanceOf(DeployError);
    expect(error).toMatchObject({ failedStack: 'a', lines: ['Run:', '  error: no'] });
    expect(existsSync(path.join(folder(), 'state', 'b.tfstate'))).toBe(false);
    // positive control: without the failure both are made
    expect((await deploy(writeStacks('1'))).changes).toEqual({ a: '1 run', b: '1 run' });
  });

  test('an interruption lets Terraform write down what it did', async () => {
    const abort = new AbortController();
    const started = path.join(folder(), 'started');
    const stacks = writeStacks('1', `touch '${started}'; while [ -f '${started}' ]; do sleep 0.05; done`);
    const deploying = deploy(stacks, abort.signal);
    const watched = setInterval(() => {
      if (!existsSync(started)) return;
      clearInterval(watched);
      abort.abort(new Error('interrupted'));
      rmSync(started);
    }, 20);
    expect(await rejectionOf(deploying)).toMatchObject({ message: 'interrupted' });
    expect(readFileSync(path.join(folder(), 'state', 'a.tfstate'), 'utf8')).toContain('"terraform_data"');
    expect(existsSync(path.join(folder(), 'state', 'b.tfstate'))).toBe(false);
  });
});

describe('containers that a deploy must keep', () => {
  const KEEP = { containers: ['ebs-demo-minio'], because: 'host c is away', hint: 'wait for it' };
  const planOf = (actions: string[], name: string, type = 'docker_container') =>
    terraformPlan.parse({ resource_changes: [{ address: 'it', type, change: { actions, before: { name } } }] });

  test.each([
    ['replaced', ['delete', 'create']],
    ['taken away', ['delete']],
  ])('are not %s', (_, actions) => {
    const error = thrownBy(() => {
      requireKept('demo-minio-a', planOf(actions, 'ebs-demo-minio'), KEEP);
    });
    expect(error.message).toBe('demo-minio-a: container ebs-demo-minio must not be replaced now: host c is away');
  });

  test.each([
    ['made', planOf(['create'], 'ebs-demo-minio')],
    ['changed where they are', planOf(['update'], 'ebs-demo-minio')],
    ['replaced, where they are others', planOf(['delete', 'create'], 'ebs-demo-kes')],
    ['replaced, where they are no containers', planOf(['delete', 'create'], 'ebs-demo-minio', 'docker_volume')],
  ])('may be %s', (_, plan) => {
    expect(() => {
      requireKept('demo-minio-a', plan, KEEP);
    }).not.toThrow();
  });
});
