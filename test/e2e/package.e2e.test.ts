/** The package in the app of somebody else: packed, installed, synthesized with two deployments, and deployed. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DeploymentProps } from '../../constructs/deployment';
import { toolchainSchema } from '../../config/toolchain';
import { dockerEngine } from '../../operations/docker/docker';
import { dockerResourcesOf } from '../../operations/docker/tear-down';
import { projectRoot } from '../../operations/lib/project-root';
import { toolchainFile } from '../../operations/toolchain/findings';
import { mustSucceed, output, runCommand } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/clients/measured';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { testPorts } from '../helpers/e2e/test-ports';

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly devDependencies?: unknown;
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));
const bin = (name: string): string => path.join(projectRoot, 'node_modules', '.bin', name);
/** `cdktf` and the providers look for `terraform` there. */
const env = { PATH: `${path.join(projectRoot, 'node_modules', '.bin')}:${process.env.PATH ?? ''}` };

let environment: TestEnvironment;
let app: string;
let packed: readonly string[];

/** Settings of a deployment with ports of its own. */
async function settingsOf(name: string, stateDirectory: string): Promise<DeploymentProps> {
  const [vault = 0, kes = 0, minio = 0] = await testPorts(3);
  const { images } = toolchainSchema.parse(readJson(toolchainFile));
  return {
    name,
    stateDirectory,
    imageContexts: images,
    vault: { mode: 'embedded', port: vault },
    kes: { port: kes },
    minio: { port: minio },
    buckets: [{ name: 'photos', encryption: { type: 'sse-kms', key: 'photos-key' } }],
  };
}

beforeAll(async () => {
  environment = await TestEnvironment.create();
  const { folder } = environment;
  app = path.join(folder, 'app');
  mkdirSync(app);
  await output('npm', ['run', '--silent', 'build'], { cwd: projectRoot });
  const [tarball] = JSON.parse(
    await output('npm', ['pack', '--json', path.join(projectRoot, 'dist')], { cwd: folder }),
  ) as [{ filename: string; files: { path: string }[] }];
  packed = tarball.files.map((file) => file.path);
  cpSync(path.join(projectRoot, 'examples', 'cdktf-app'), app, { recursive: true });
  const { dependencies } = readJson(path.join(projectRoot, 'package.json')) as Manifest;
  const peers = ['cdktf', 'constructs', '@cdktf/provider-docker', '@cdktf/provider-vault'];
  writeFileSync(
    path.join(app, 'package.json'),
    JSON.stringify({
      private: true,
      dependencies: {
        ...Object.fromEntries(peers.map((name) => [name, dependencies[name]])),
        'encrypted-backup-storage': `file:../${tarball.filename}`,
      },
    }),
  );
  await output('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: app });
  const deployments = [
    await settingsOf(environment.name, environment.state.root),
    await settingsOf(`${environment.name}-two`, path.join(folder, 'state-of-two')),
  ];
  writeFileSync(path.join(app, 'deployments.json'), JSON.stringify(deployments));
});

afterAll(async () => {
  await environment.remove();
});

test('the API docs have a page for each construct, and every type that a prop names', async () => {
  // it fails where a prop or a method names a type that they do not have: typedoc.json
  const docs = path.join(environment.folder, 'api-docs');
  await output(bin('typedoc'), ['--out', docs], { cwd: projectRoot });
  const constructs = ['Deployment', 'Foundation', 'VaultServer', 'KeyStore', 'KesServer', 'MasterKeys', 'MinioServer'];
  expect(readdirSync(path.join(docs, 'classes'))).toEqual(
    expect.arrayContaining(constructs.map((name) => `${name}.html`)),
  );
});

test('the package has constructs with their types and the operations, and neither tests nor what is not for it', () => {
  const manifest = readJson(path.join(app, 'node_modules', 'encrypted-backup-storage', 'package.json')) as Manifest;
  expect(JSON.stringify(manifest)).not.toContain('file:');
  expect(manifest.devDependencies).toBeUndefined();
  expect(Object.keys(manifest.peerDependencies)).toEqual(expect.arrayContaining(['cdktf', 'constructs']));
  expect(Object.keys(manifest.dependencies)).toEqual(['zod']);
  expect(packed).toEqual(
    expect.arrayContaining([
      'constructs/package.js',
      'constructs/package.d.ts',
      'operations/run',
      'operations/run.mjs',
    ]),
  );
  expect(packed.filter((file) => /^(test|scripts|stacks|environments|node_modules|bench)\/|\.map$/.test(file))).toEqual(
    [],
  );
});

test('the runner of the package says what it must be called with', async () => {
  const { code, stderr } = await runCommand(
    path.join(app, 'node_modules', '.bin', 'encrypted-backup-storage-operation'),
    [],
  );
  expect(code).toBe(64);
  expect(stderr).toContain('operations/run must be called with an operation and EBS_OPERATION_INPUT, got: nothing');
});

test('thirty lines are an app with two deployments, which have nothing of each other', async () => {
  await output(bin('tsc'), ['-p', '.'], { cwd: app });
  await output(process.execPath, ['main.js'], { cwd: app, env });
  const stack = (name: string): string =>
    readFileSync(path.join(app, 'cdktf.out', 'stacks', name, 'cdk.tf.json'), 'utf8');
  const namesIn = (...stacks: readonly string[]): string[] =>
    stacks.flatMap((name) =>
      Object.entries(
        (JSON.parse(stack(name)) as { resource: Record<string, Record<string, { name?: string }>> }).resource,
      )
        .filter(([type]) => /^docker_(container|volume|network)$/.test(type))
        .flatMap(([, resources]) => Object.values(resources).map((resource) => String(resource.name))),
    );
  const one = namesIn(`${environment.name}-base`, `${environment.name}-storage`);
  const two = namesIn(`${environment.name}-two-base`, `${environment.name}-two-storage`);
  expect(two).toEqual(one.map((name) => name.replace(environment.name, `${environment.name}-two`)));
  expect(one).toContain(environment.containerName('minio'));
  expect(one.filter((name) => two.includes(name))).toEqual([]);
});

test('a setting that is wrong is named when the app is built, with all others', async () => {
  const file = path.join(app, 'deployments.json');
  const right = readFileSync(file, 'utf8');
  const [settings] = JSON.parse(right) as DeploymentProps[];
  try {
    writeFileSync(file, JSON.stringify([{ ...settings, kes: { prot: 1 }, buckets: [{ name: 'My.Bucket' }] }]));
    const { code, stderr } = await runCommand(process.execPath, ['main.js'], { cwd: app, env });
    expect(code).not.toBe(0);
    expect(stderr).toContain(`deployment ${environment.name} has 2 problems:`);
    expect(stderr).toContain('kes.prot');
    expect(stderr).toContain('buckets[0].name');
  } finally {
    writeFileSync(file, right);
  }
});

test('one of them is deployed, its checks pass, and a second plan finds nothing to do', async () => {
  const stacks = [`${environment.name}-base`, `${environment.name}-storage`];
  const deployed = await runCommand(bin('cdktf'), ['deploy', ...stacks, '--auto-approve'], { cwd: app, env });
  measured('the package in an app of somebody else, first deploy', mustSucceed(deployed).seconds);
  const { outcome } = readJson(path.join(environment.state.reports, 'checks.json')) as { outcome: string };
  expect(outcome).toBe('passed');
  const { containers } = await dockerResourcesOf(dockerEngine(), environment.owner);
  expect(containers.map(({ name }) => name)).toContain(environment.containerName('minio'));
  for (const stack of stacks) {
    const cwd = path.join(app, 'cdktf.out', 'stacks', stack);
    const plan = await runCommand(bin('terraform'), ['plan', '-detailed-exitcode', '-no-color'], { cwd, env });
    expect({ stack, code: plan.code, said: plan.code === 0 ? '' : plan.stdout }).toEqual({ stack, code: 0, said: '' });
  }
});

test('the commands of a clone know it by the settings that the checks left', async () => {
  const { environment: file } = environment.state;
  const { stdout } = mustSucceed(await environment.scriptWith('check', [file]));
  expect(stdout).toMatch(/\d+ passed, 0 failed/);
});
