import type Docker from 'dockerode';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { removeChangedNetworks, removeIdleOrphans, removeOrphans } from '../../../operations/docker/orphans';
import { useStateBucket } from '../../helpers/servers/state-bucket';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const bucket = useStateBucket();
const OWNER = { name: 'label', value: 'demo' };

/** A Docker with containers, each in a state, and networks, which notes what is removed. */
function fakeDocker(containers: Readonly<Record<string, string>>, networks: readonly (string | object)[]) {
  const removed: string[] = [];
  const remove = (id: string) => () => Promise.resolve(void removed.push(id));
  const listed = Object.entries(containers).map(([Id, State]) => ({
    Id,
    State,
    Names: [`/ebs-demo-${Id}`],
    Created: 1,
  }));
  const docker = {
    listContainers: () => Promise.resolve(listed),
    listVolumes: () => Promise.resolve({ Volumes: [{ Name: 'ebs-demo-minio-data' }] }),
    listNetworks: () =>
      Promise.resolve(
        networks.map((network) =>
          typeof network === 'string' ? { Id: network, Name: `ebs-demo-${network}` } : network,
        ),
      ),
    getContainer: (id: string) => ({ stop: () => Promise.resolve(), remove: remove(id) }),
    getNetwork: (id: string) => ({ remove: remove(id) }),
  };
  return { docker: docker as unknown as Docker, removed };
}

/** What every test but one has on the Docker host. */
const RUNNING = { kes: 'running', loader: 'created' };

function environmentWith(setting: string, marker = true) {
  const state = stateLayout('demo', folder());
  mkdirSync(state.terraform, { recursive: true });
  if (marker) writeFileSync(state.deployment, '{}');
  return {
    environment: parseEnvironment(`name: demo\n${setting}`, 'demo.yaml'),
    file: 'demo.yaml',
    argument: 'demo',
    state,
  };
}

/** An environment with these local states. */
function deployed(states: Readonly<Record<string, unknown>>, marker = true) {
  const loaded = environmentWith(`state: { backend: local, directory: ${folder()} }`, marker);
  for (const [stack, content] of Object.entries(states)) {
    writeFileSync(path.join(loaded.state.terraform, `${stack}.tfstate`), JSON.stringify(content));
  }
  return loaded;
}

/** One with these states in a bucket. */
function deployedRemotely(states: Readonly<Record<string, unknown>>, marker = true) {
  for (const [stack, content] of Object.entries(states)) bucket.states.set(`demo/${stack}`, content);
  return environmentWith(bucket.setting(), marker);
}

const state = (type: string, ...ids: string[]) => ({
  resources: [{ mode: 'managed', type, instances: ids.map((id) => ({ attributes: { id } })) }],
});
const NETWORK = state('docker_network', 'net');

describe.each([
  ['local files', deployed],
  ['a bucket', deployedRemotely],
])('with state in %s', (_, environment) => {
  test.each<[string, Readonly<Record<string, unknown>>, string[]]>([
    ['nothing where all is known', { foundation: NETWORK, kes: state('docker_container', 'kes', 'loader') }, []],
    ['what was never written down', { foundation: NETWORK, kes: state('docker_container', 'kes') }, ['loader']],
    [
      'everything in a network that is not known',
      { kes: state('docker_container', 'kes', 'loader') },
      ['kes', 'loader', 'net'],
    ],
    [
      'nothing of a Vault that the environment file has no more',
      { foundation: NETWORK, vault: state('docker_container', 'kes', 'loader') },
      [],
    ],
  ])('up removes %s', async (__, states, expected) => {
    const { docker, removed } = fakeDocker(RUNNING, ['net']);
    await expect(removeOrphans(environment(states), docker, OWNER)).resolves.toEqual(
      expected.map((id) => `ebs-demo-${id}`),
    );
    expect(removed).toEqual(expected);
  });

  test('a network that a first deploy made before it was killed is removed', async () => {
    const { docker, removed } = fakeDocker({}, ['net']);
    await expect(removeOrphans(environment({}, false), docker, OWNER)).resolves.toEqual(['ebs-demo-net']);
    expect(removed).toEqual(['net']);
  });

  test('what another state folder deployed is refused, and left alone', async () => {
    const { docker, removed } = fakeDocker(RUNNING, ['net']);
    await expect(removeOrphans(environment({}, false), docker, OWNER)).rejects.toThrow(
      `environment demo runs here (2 containers), but the state folder ${folder()} did not deploy it`,
    );
    expect(removed).toEqual([]);
  });

  test('a state that cannot be read removes nothing', async () => {
    const { docker, removed } = fakeDocker(RUNNING, ['net']);
    await expect(removeOrphans(environment({ vault: 'no state' }), docker, OWNER)).rejects.toThrow(
      "vault.tfstate is not Terraform's state",
    );
    expect(removed).toEqual([]);
  });

  describe('a rotation', () => {
    test.each(['created', 'exited', 'dead'])('removes a container that is %s', async (one) => {
      const { docker, removed } = fakeDocker({ kes: 'running', loader: one }, ['net']);
      const loaded = environment({ foundation: NETWORK, kes: state('docker_container', 'kes') });
      await expect(removeIdleOrphans(loaded, docker, OWNER)).resolves.toEqual(['ebs-demo-loader']);
      expect(removed).toEqual(['loader']);
    });

    test.each<[string, Readonly<Record<string, unknown>>, string]>([
      ['a container that is in use', { foundation: NETWORK }, 'ebs-demo-kes'],
      ['the network', { kes: state('docker_container', 'kes', 'loader') }, 'ebs-demo-net'],
    ])('leaves %s to up, and everything as it is', async (__, states, name) => {
      for (const running of ['running', 'restarting', 'paused']) {
        const { docker, removed } = fakeDocker({ ...RUNNING, kes: running }, ['net']);
        await expect(removeIdleOrphans(environment(states), docker, OWNER)).rejects.toThrow(
          expect.objectContaining({
            message: expect.stringContaining(`does not know ${name}, `) as string,
            hint: expect.stringContaining(
              './scripts/up demo removes that, and makes again what is declared; then run the rotation again',
            ) as string,
          }) as Error,
        );
        expect(removed).toEqual([]);
      }
    });

    test('leaves the standby of KES, which it takes away by itself', async () => {
      const { docker, removed } = fakeDocker({ 'kes-standby': 'running', kes: 'running' }, ['net']);
      const loaded = environment({ foundation: NETWORK, kes: state('docker_container', 'kes') });
      await expect(removeIdleOrphans(loaded, docker, OWNER)).resolves.toEqual([]);
      expect(removed).toEqual([]);
    });
  });
});

test('where every local state is lost, everything is removed', async () => {
  const { docker, removed } = fakeDocker(RUNNING, ['net']);
  await removeOrphans(deployed({}), docker, OWNER);
  expect(removed).toEqual(['kes', 'loader', 'net']);
});

test('a bucket without any state is not where this was deployed, and nothing is removed', async () => {
  const { docker, removed } = fakeDocker(RUNNING, ['net']);
  await expect(removeOrphans(deployedRemotely({}), docker, OWNER)).rejects.toThrow(
    'environment demo runs here (2 containers), but s3://states/all/demo/ holds no Terraform state of it',
  );
  expect(removed).toEqual([]);
});

test.each([
  ['AccessDenied', 'cannot be read: said S3', 'set the AWS_… variables with which Terraform reaches it'],
  [
    'NoSuchBucket',
    'does not exist',
    'make the bucket, or correct state.bucket in the environment file; nothing was changed',
  ],
])('a bucket that answers %s removes nothing', async (code, said, hint) => {
  bucket.refusal = code;
  const { docker, removed } = fakeDocker(RUNNING, ['net']);
  await expect(removeOrphans(deployedRemotely({}), docker, OWNER)).rejects.toThrow(
    expect.objectContaining({
      message: expect.stringMatching(new RegExp(`Terraform state s3:\\S+ ${said}$`)) as string,
      hint,
    }) as Error,
  );
  expect(removed).toEqual([]);
});

test('a bucket is not asked where nothing was made yet: Terraform finds out', async () => {
  bucket.refusal = 'NoSuchBucket';
  const { docker } = fakeDocker({}, []);
  await expect(removeOrphans(deployedRemotely({}, false), docker, OWNER)).resolves.toEqual([]);
});

describe('networks that are declared otherwise', () => {
  const running = { kes: 'running', minio: 'running' };
  const declared = (settings: string) =>
    environmentWith(`docker: { ${settings} }\nstate: { backend: local, directory: ${folder()} }`);
  /** Networks as Docker lists them. */
  const networks = (subnets: readonly [string, string], mtu?: string) =>
    ['ebs-demo', 'ebs-demo-vault'].map((Name, index) => ({
      Id: Name,
      Name,
      IPAM: { Config: [{ Subnet: 'fd00::/64' }, { Subnet: subnets[index] }] },
      Options: mtu === undefined ? null : { 'com.docker.network.driver.mtu': mtu },
    }));
  const ANY = ['172.18.0.0/16', '172.19.0.0/16'] as const;
  const HALVES = ['10.89.0.0/25', '10.89.0.128/25'] as const;

  test.each([
    ['another subnet', 'subnet: 10.89.0.0/24', networks(ANY), ['ebs-demo', 'ebs-demo-vault']],
    ['the other half', 'subnet: 10.89.0.0/24', networks([HALVES[0], ANY[1]]), ['ebs-demo-vault']],
    ['another MTU', 'mtu: 1400', networks(ANY, '1300'), ['ebs-demo', 'ebs-demo-vault']],
    ['an MTU where there was none', 'mtu: 1400', networks(ANY), ['ebs-demo', 'ebs-demo-vault']],
  ])('%s: they are removed, after every container', async (_, settings, there, changed) => {
    const { docker, removed } = fakeDocker(running, there);
    await expect(removeChangedNetworks(declared(settings), docker, OWNER)).resolves.toEqual(changed);
    expect(removed).toEqual(['kes', 'minio', ...changed]);
  });

  test.each([
    ['as they are', 'subnet: 10.89.0.0/24, mtu: 1400', networks(HALVES, '1400')],
    ['nothing, which leaves what Docker chose', '', networks(ANY)],
    ['nothing any more', '', networks(HALVES, '1400')],
  ])('declared is %s: nothing is removed', async (_, settings, there) => {
    const { docker, removed } = fakeDocker(running, there);
    await expect(removeChangedNetworks(declared(settings), docker, OWNER)).resolves.toEqual([]);
    expect(removed).toEqual([]);
  });

  test('before a rotation they are refused, and nothing is removed', async () => {
    const { docker, removed } = fakeDocker(running, networks(ANY));
    await expect(removeIdleOrphans(declared('subnet: 10.89.0.0/24'), docker, OWNER)).rejects.toThrow(
      'network ebs-demo is not as docker.subnet and docker.mtu declare it, and a rotation does not recreate it',
    );
    expect(removed).toEqual([]);
  });
});
