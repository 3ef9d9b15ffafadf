/** Docker hosts that are not this machine: one has a deployment, the other answers by mistake. */
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { dockerEngine } from '../../operations/docker/docker';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { readEngineNote } from '../../operations/docker/engine/engine-identity';
import { registryProblem } from '../../operations/toolchain/images/registry';
import { type DockerResources, dockerResourcesOf } from '../../operations/docker/tear-down';
import { type CommandResult, mustSucceed } from '../helpers/e2e/command';
import { diskPlaces, FOUND } from '../helpers/e2e/disk-places';
import { DockerHosts } from '../helpers/e2e/servers/docker-hosts';
import { describeTree } from '../helpers/e2e/file-tree';
import { measured } from '../helpers/e2e/clients/measured';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { RecordingProxy } from '../helpers/servers/recording-proxy';

type Variables = Readonly<Record<string, string | undefined>>;

let hosts: DockerHosts;
let environment: TestEnvironment;
/** An `ssh` that knows the hosts by name, each with a key file of its configuration. */
let sshPath: string;
/** The same deployment, in a file that does not say where its engine is. */
let nowhere: string;
/** A proxy for the way to other networks: set throughout, and to be used for nothing of the deployment. */
let outside: RecordingProxy;
let recipient: string;

beforeAll(async () => {
  environment = await TestEnvironment.create();
  hosts = await DockerHosts.start(2, environment.folder);
  environment.write({ ...settings(), docker: { ...settings().docker, host: 'ssh://nas' } });
  nowhere = environment.writeOther('nowhere.yaml', settings());
  outside = await RecordingProxy.start();
  recipient = await newIdentity(path.join(environment.folder, 'identity.txt'));
  sshPath = hosts.sshPath({ nas: { host: 1 }, other: { host: 2 }, replaced: { host: 1, keyOf: 2 } });
});

afterAll(async () => {
  await outside.stop();
  await hosts.remove();
  rmSync(environment.folder, { recursive: true, force: true });
});

function settings() {
  const publishAddress = hosts.address(1);
  return {
    docker: { publishAddress, subnet: '10.79.254.0/24' },
    // refused, as by default: nothing here acts as root
    minio: { rootAccess: undefined },
    kes: { publishAddress },
    vault: { publishAddress },
  };
}

/** No variable of this machine. */
const UNSET: Variables = {
  DOCKER_HOST: undefined,
  DOCKER_CONTEXT: undefined,
  DOCKER_TLS_VERIFY: undefined,
  DOCKER_CERT_PATH: undefined,
};
/** The file names its engine, and these another, with everything that leads there. */
const misleading = (): Variables => ({
  ...hosts.tlsVariables(2),
  DOCKER_CONTEXT: 'nothing',
  PATH: sshPath,
  ...outside.variables,
});
const bySsh = (name: string): Variables => ({ ...UNSET, PATH: sshPath, DOCKER_HOST: `ssh://${name}` });
const onHost = async (host: number): Promise<DockerResources> =>
  dockerResourcesOf(dockerEngine(hosts.tls(host)), environment.owner);
const running = async (): Promise<string[]> =>
  (await onHost(1)).containers.flatMap((container) => (container.running ? [container.name] : [])).sort();
const everything = async () => ({
  first: await onHost(1),
  second: await onHost(2),
  here: await environment.dockerResources(),
  state: existsSync(environment.state.secrets) ? describeTree(environment.state.secrets, { links: true }) : {},
});

test('another machine has its ports on addresses of its own: refused before anything is deployed', async () => {
  const file = environment.writeOther('loopback.yaml', { docker: { host: 'ssh://nas' } });
  const { code, stderr } = await environment.scriptWith('up', [file], { env: misleading() });
  expect(code).toBe(64);
  expect(stderr).toContain(
    'docker.publishAddress, kes.publishAddress, vault.publishAddress: must be an address of nas by which this machine reaches it',
  );
  expect(existsSync(environment.state.root)).toBe(false);
});

describe('by ssh, with a key file that only the configuration of ssh names', () => {
  test('up deploys and proves it, and uses no variable of another engine', async () => {
    const result = mustSucceed(await environment.script('up', [], { env: misleading() }));
    measured('./scripts/up over ssh, images built there', result.seconds);
    expect(await running()).toEqual(
      ['kes', 'minio', 'vault', 'vault-unsealer'].map((program) => environment.containerName(program)),
    );
    const id = ((await dockerEngine(hosts.tls(1)).info()) as { ID: string }).ID;
    expect(readEngineNote(environment.state)).toEqual({ id, name: 'h1', host: 'ssh://nas' });
    const { second, here } = await everything();
    expect(Object.values({ ...second, ...here }).flat()).toEqual([]);
    // the disks of the host, and that of this machine
    const places = diskPlaces(environment.state);
    expect(places[`drive ${environment.containerName('minio')}-data`]?.by).toMatch(FOUND);
    expect(places[`state folder ${environment.state.root}`]?.by).toMatch(FOUND);
    // node:url warned of ssh:// addresses as dockerode writes them
    expect(result.stderr).not.toContain('DeprecationWarning');
  });

  test('up again changes nothing', async () => {
    const result = mustSucceed(await environment.script('up', [], { env: misleading() }));
    measured('./scripts/up over ssh, nothing to do', result.seconds);
    expect(Object.values(environment.changes(result)).filter((changes) => changes !== 'no change')).toEqual([]);
  });

  test('check looks into containers and drives, and leaves nothing unseen', async () => {
    const { code, stdout, seconds } = await environment.script('check', [], { env: misleading() });
    measured('./scripts/check over ssh', seconds);
    expect({ code, stdout }).toMatchObject({ code: 0 });
  });

  test('rotate secret-id gives KES another one', async () => {
    const before = describeTree(environment.state.secrets, { links: true });
    const result = mustSucceed(await environment.rotate(['secret-id'], { env: misleading() }));
    measured('./scripts/rotate secret-id over ssh', result.seconds);
    const after = describeTree(environment.state.secrets, { links: true });
    const changed = Object.keys(after).filter((file) => after[file] !== before[file]);
    expect(changed).not.toEqual([]);
  });

  test('backup reads all keys', async () => {
    const file = path.join(environment.folder, 'backup.age');
    mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient], { env: misleading() }));
    expect(existsSync(file)).toBe(true);
  });

  test('plan finds nothing to change', async () => {
    await environment.expectNothingToDeploy({ env: misleading() });
  });
});

describe('the same engine, by another address', () => {
  test.each<[string, () => Variables | Promise<Variables>]>([
    ['tcp with TLS', () => hosts.tlsVariables(1)],
    ['a context that was chosen', () => ({ DOCKER_CONFIG: hosts.contextOf(1) })],
    ['a port of loopback', async () => ({ DOCKER_HOST: await hosts.plainPort(sshPath, 'nas') })],
  ])('%s: Terraform finds nothing to change, and checks look into containers', async (_, variables) => {
    const env = { ...UNSET, ...outside.variables, ...(await variables()), EBS_ENVIRONMENT: nowhere };
    const diff = mustSucceed(await environment.cdktf(['diff', `${environment.name}-foundation`], { env }));
    expect(diff.stdout).toContain('No changes.');
    const only = ['--only', 'containers-hardened,ciphertext-on-disk'];
    const { code, stdout } = await environment.scriptWith('check', [nowhere, ...only], { env });
    expect({ code, stdout }).toMatchObject({ code: 0 });
  });
});

test('a proxy for what is outside was asked for nothing of the deployment', async () => {
  // it is used where it is meant to be, whether or not there is a way from it
  await registryProblem('tofu', { env: outside.variables });
  expect(outside.asked).toContain('registry.opentofu.org:443');
  const own = [hosts.address(1), hosts.address(2), '127.0.0.1', 'localhost', 'nas', 'docker'];
  expect(outside.asked.filter((target) => own.some((host) => target.includes(host)))).toEqual([]);
});

type Script = Parameters<TestEnvironment['scriptWith']>[0];

/** Every command that acts on a deployment, with what it needs. */
const COMMANDS: readonly (readonly [Script, () => readonly string[]])[] = [
  ['down', () => [nowhere, '--delete-data', '--confirm', environment.name]],
  ['down', () => [nowhere]],
  ['up', () => [nowhere]],
  ['plan', () => [nowhere]],
  ['check', () => [nowhere]],
  ['backup', () => [nowhere, '--to', path.join(environment.folder, 'no.age'), '--recipient', recipient]],
  ['drill', () => [nowhere]],
  ['rotate', () => ['secret-id', nowhere]],
];

async function refused(name: Script, args: readonly string[], env: Variables): Promise<CommandResult> {
  const before = await everything();
  const result = await environment.scriptWith(name, args, { env });
  expect(result.code).toBeGreaterThan(0);
  expect(await everything()).toEqual(before);
  return result;
}

describe('another machine in its place', () => {
  test.each(COMMANDS)('./scripts/%s refuses its host key', async (name, args) => {
    const { stderr, stdout } = await refused(name, args(), bySsh('replaced'));
    expect(`${stderr}${stdout}`).toMatch(
      /the host key of ssh:\/\/replaced is another than the one in \S+known-replaced, line 1/,
    );
  });

  test('Terraform refuses it as well', async () => {
    const env = { ...bySsh('replaced'), EBS_ENVIRONMENT: nowhere };
    const { code, stdout, stderr } = await environment.cdktf(['diff', `${environment.name}-foundation`], { env });
    expect(code).toBeGreaterThan(0);
    expect(`${stdout}${stderr}`).toContain('REMOTE HOST IDENTIFICATION HAS CHANGED');
  });

  test('a key that is not known is refused', async () => {
    const { stderr } = await refused('plan', [nowhere], bySsh(hosts.address(2)));
    expect(stderr).toContain(`the host key of ssh://${hosts.address(2)} is not known here`);
  });
});

describe('another engine', () => {
  test.each(COMMANDS)('./scripts/%s changes nothing, and names both', async (name, args) => {
    const { stderr } = await refused(name, args(), bySsh('other'));
    const { id = '' } = readEngineNote(environment.state) ?? {};
    expect(stderr).toContain(
      `environment ${environment.name} is on another Docker engine: it was deployed to ${id} (h1; ssh://nas), and this command meets `,
    );
    expect(stderr).toContain('(h2; DOCKER_HOST, ssh://other)');
  });
});

test('down --delete-data on the engine of the deployment takes all of it away', async () => {
  const args = ['--delete-data', '--confirm', environment.name];
  mustSucceed(await environment.script('down', args, { env: misleading() }));
  expect(Object.values(await onHost(1)).flat()).toEqual([]);
  expect(existsSync(environment.state.root)).toBe(false);
});
