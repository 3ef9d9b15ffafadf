/** Containers as Docker shows them: those that the constructs declare, and what somebody may have done to them. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import path from 'node:path';
import { containerDriftChecks } from '../../../../operations/checks/drift/container-drift';
import type { CheckResult } from '../../../../operations/checks/runner';
import { synthDeployment } from '../../../helpers/deployment';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { contextWith, loaded, resultOf } from '../fakes';

const folder = useTemporaryFolder();

interface Mount {
  readonly Type: string;
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  readonly RW: boolean;
}
interface Inspected {
  readonly Config: { readonly User: unknown; readonly Volumes?: object | null };
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly Mounts: readonly Mount[];
  readonly NetworkSettings: unknown;
}

/** A service container as it is in the synthesized JSON. */
interface Declared {
  readonly name: string;
  readonly user: string;
  readonly read_only: boolean;
  readonly capabilities: { readonly drop: readonly string[] };
  readonly security_opts: readonly string[];
  readonly volumes?: readonly { volume_name: string; container_path: string; read_only: boolean }[];
  readonly mounts?: readonly { type: string; source: string; target: string; read_only: boolean }[];
  readonly ports?: readonly { internal: number; external: number; ip: string }[];
  readonly start?: boolean;
  readonly must_run?: boolean;
  readonly networks_advanced?: readonly { readonly name: string }[];
}

/** What Docker says of a container that was made as declared. */
function inspected(declared: Declared, networks: readonly string[]): Inspected {
  const { volumes = [], mounts = [], ports = [] } = declared;
  return {
    Config: {
      User: declared.user,
      Volumes: Object.fromEntries(volumes.map(({ container_path: at }) => [at, {}])),
    },
    HostConfig: {
      ReadonlyRootfs: declared.read_only,
      Privileged: false,
      CapDrop: declared.capabilities.drop,
      CapAdd: null,
      SecurityOpt: declared.security_opts,
      Devices: [],
      PidMode: '',
      IpcMode: 'private',
      PortBindings: Object.fromEntries(
        ports.map(({ internal, external, ip }) => [`${internal}/tcp`, [{ HostIp: ip, HostPort: String(external) }]]),
      ),
    },
    Mounts: [
      ...volumes.map(({ volume_name: name, container_path: at, read_only: readOnly }) => ({
        ...{ Type: 'volume', Name: name, Source: `/var/lib/docker/volumes/${name}/_data` },
        ...{ Destination: at, RW: !readOnly },
      })),
      ...mounts.map(({ type, source, target, read_only: readOnly }) => ({
        ...{ Type: type, Source: source, Destination: target, RW: !readOnly },
      })),
    ],
    NetworkSettings: { Networks: Object.fromEntries(networks.map((name) => [name, {}])) },
  };
}

/** What the check says of the containers of an environment, after `change` was done to each. */
async function look(text: string, change: (container: Inspected, name: string) => Inspected): Promise<CheckResult> {
  const socket = path.join(folder(), 'docker.sock');
  const environment = loaded(folder(), `name: local\ndocker: { host: "unix://${socket}" }\n${text}`);
  const containers = Object.values(synthDeployment({ environment: `name: local\n${text}` })).flatMap((stack) =>
    (Object.values(stack.resources('docker_container')) as unknown as Declared[])
      .filter(({ start, must_run: mustRun }) => start !== false && mustRun !== false)
      .map((declared) => {
        const networks = (declared.networks_advanced ?? []).map(({ name }) =>
          // of a network in the same stack
          name === '${docker_network.Network.name}' ? String(stack.resource('docker_network').name) : name,
        );
        return [declared.name, change(inspected(declared, networks), declared.name)] as const;
      }),
  );
  const docker = createServer(({ url = '' }, response) => {
    const found = containers.find(([name]) => url.endsWith(`/containers/${name}/json`));
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(found?.[1] ?? { message: 'no such container' }));
  }).listen(socket);
  await once(docker, 'listening');
  try {
    return await resultOf(
      containerDriftChecks,
      'containers-hardened',
      contextWith(environment, () => undefined),
    );
  } finally {
    docker.closeAllConnections();
    docker.close();
  }
}

describe.each([
  ['everything in containers', ''],
  ['manual unsealing', 'vault: { mode: embedded, unseal: manual }'],
  ['an external Vault', 'vault: { mode: external, address: "https://vault.example.org:8200" }'],
  ['certificates from files', 'tls: { mode: files, certificate: /a.crt, privateKey: /a.key }'],
  [
    'two certificates from files',
    'tls: { mode: files, certificate: /a.crt, privateKey: /a.key, additional: [{ certificate: /b.crt, privateKey: /b.key }] }',
  ],
  ['keys as files', 'keyStore: { type: filesystem }'],
  ['keys in a folder', 'keyStore: { type: filesystem, path: /srv/keys/ }'],
  ['an audit webhook', 'minio: { audit: { endpoint: "https://logs.example.org/" } }'],
  ['a webhook of events', 'minio: { webhooks: [{ name: inbox, endpoint: "https://events.example.org/" }] }'],
  ['keys in AWS', 'keyStore: { type: aws, region: eu-central-1 }'],
])('%s', (_, text) => {
  test('as the constructs declare it passes', async () => {
    const { status, message } = await look(text, (container) => container);
    expect([status, message]).toEqual(['passed', undefined]);
  });
});

const isKes = (name: string): boolean => name.endsWith('-kes');
const ANONYMOUS = 'ab'.repeat(32);
const mount = (more: Partial<Mount>): Mount => ({
  Type: 'bind',
  Source: '/srv',
  Destination: '/srv',
  RW: true,
  ...more,
});

test.each<[string, (container: Inspected) => Inspected]>([
  [
    'Docker writes out what it was asked for',
    (one) => ({ ...one, HostConfig: { ...one.HostConfig, SecurityOpt: ['no-new-privileges:true'] } }),
  ],
  ['the daemon makes memory shareable', (one) => ({ ...one, HostConfig: { ...one.HostConfig, IpcMode: 'shareable' } })],
  [
    'the image wants a volume',
    (one) => ({
      ...one,
      Config: { ...one.Config, Volumes: { ...one.Config.Volumes, '/vault/logs': {} } },
      Mounts: [...one.Mounts, mount({ Type: 'volume', Name: ANONYMOUS, Destination: '/vault/logs' })],
    }),
  ],
  ['an old Docker says less', (one) => ({ ...one, Config: { User: one.Config.User, Volumes: null } })],
])('%s: no alarm', async (_, change) => {
  const { status, message } = await look('', change);
  expect([status, message]).toEqual(['passed', undefined]);
});

const withHost = (more: object) => (one: Inspected) => ({ ...one, HostConfig: { ...one.HostConfig, ...more } });
const withMounts = (mounts: (own: readonly Mount[]) => readonly Mount[]) => (one: Inspected) => ({
  ...one,
  Mounts: mounts(one.Mounts),
});

test.each<[string, (container: Inspected) => Inspected, string]>([
  [
    'new privileges are allowed',
    withHost({ SecurityOpt: ['no-new-privileges:false'] }),
    'securityOptions is "no-new-privileges:false", declared "no-new-privileges"',
  ],
  [
    'nothing was said of privileges',
    withHost({ SecurityOpt: null }),
    'securityOptions is "none", declared "no-new-privileges"',
  ],
  [
    'seccomp is off',
    withHost({ SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] }),
    'securityOptions is "no-new-privileges, seccomp=unconfined", declared "no-new-privileges"',
  ],
  [
    'AppArmor is off',
    withHost({ SecurityOpt: ['no-new-privileges', 'apparmor=unconfined'] }),
    'securityOptions is "no-new-privileges, apparmor=unconfined", declared "no-new-privileges"',
  ],
  ['it shares memory with the machine', withHost({ IpcMode: 'host' }), 'sharedMemory is "host", declared "own"'],
  [
    'the socket of Docker is mounted beside the folder of keys',
    withMounts((own) => [...own, mount({ Source: '/var/run/docker.sock', Destination: '/var/run/docker.sock' })]),
    'mount at /var/run/docker.sock is not declared',
  ],
  [
    'another folder is mounted in its place',
    withMounts((own) => [
      ...own.filter(({ Type }) => Type !== 'bind'),
      mount({ Source: '/etc', Destination: '/keys' }),
    ]),
    'mount at /keys is "bind /etc", declared "bind /srv/keys"',
  ],
  [
    'its files can be written',
    withMounts((own) => own.map((one) => ({ ...one, RW: true }))),
    'mount at /files is "volume ebs-local-kes-files", declared "volume ebs-local-kes-files, read-only"',
  ],
  [
    'a volume is another one',
    withMounts((own) => own.map((one) => ({ ...one, ...(one.Type === 'volume' ? { Name: ANONYMOUS } : {}) }))),
    `mount at /files is missing`,
  ],
  [
    'a volume of a name is mounted, too',
    withMounts((own) => [...own, mount({ Type: 'volume', Name: 'other', Destination: '/other' })]),
    'mount at /other is not declared',
  ],
])('fails when %s', async (_, change, problem) => {
  const result = await look('keyStore: { type: filesystem, path: /srv/keys }', (container, name) =>
    isKes(name) ? change(container) : container,
  );
  expect([result.status, result.message]).toEqual(['failed', `ebs-local-kes: ${problem}`]);
});
