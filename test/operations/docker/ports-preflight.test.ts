import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type Docker from 'dockerode';
import { ExternalError } from '../../../operations/lib/errors';
import { requireFreePorts, type WantedPort } from '../../../operations/docker/ports-preflight';
import { rejectionOf } from '../../helpers/thrown';

const LABEL = 'encrypted-backup-storage.environment';
const server = { instance: createServer(), port: 0 };

beforeAll(async () => {
  server.instance.listen(0, '127.0.0.1');
  await once(server.instance, 'listening');
  server.port = (server.instance.address() as AddressInfo).port;
});
afterAll(() => {
  server.instance.close();
});

interface FakeContainer {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly labels?: Record<string, string>;
}

function require(ports: WantedPort[], containers: FakeContainer[] = [], local = true): Promise<void> {
  const listed = containers.map(({ name, address, port, labels }) => ({
    Names: [`/${name}`],
    Image: `image-of-${name}`,
    Labels: labels ?? {},
    Ports: [{ IP: address, PrivatePort: 1, PublicPort: port, Type: 'tcp' }],
  }));
  return requireOf({ listContainers: () => Promise.resolve(listed) }, ports, local);
}

function requireOf(docker: object, ports: WantedPort[], local = true): Promise<void> {
  return requireFreePorts({
    ports,
    owner: { name: LABEL, value: 'local' },
    docker: docker as Docker,
    local,
    settings: 'environments/local.yaml',
  });
}

const want = (port: number, purpose: string, address = '127.0.0.1'): WantedPort => ({ address, port, purpose });

test('names the holder of every port that is taken', async () => {
  const error = await rejectionOf(
    require([
      want(server.port, 'Vault API, vault.port'),
      want(7373, 'KES API, kes.port'),
      want(9000, 'S3 API, minio.port'),
    ], [
      { name: 'grafana', address: '0.0.0.0', port: 9000 },
      { name: 'ebs-test-kes', address: '127.0.0.1', port: 7373, labels: { [LABEL]: 'test' } },
    ]),
  );
  expect(error).toBeInstanceOf(ExternalError);
  const [title, vault, ...containers] = error.message.split('\n');
  expect(title).toBe('3 ports cannot be used:');
  expect(vault).toBe(
    `  - 127.0.0.1:${server.port} (Vault API, vault.port): held by a process of this machine: \`sudo ss -ltnp\` or \`sudo lsof -i :${server.port}\` says which`,
  );
  expect(containers).toEqual([
    '  - 127.0.0.1:7373 (KES API, kes.port): published by container ebs-test-kes of environment test',
    '  - 127.0.0.1:9000 (S3 API, minio.port): published by container grafana (image image-of-grafana)',
  ]);
  expect(error).toMatchObject({ hint: 'Stop what holds them, or change the setting in environments/local.yaml.' });
});

test('the environment’s own container may hold its port', async () => {
  const own = { name: 'ebs-local-minio', address: '127.0.0.1', port: server.port, labels: { [LABEL]: 'local' } };
  await expect(require([want(server.port, 'S3 API, minio.port')], [own])).resolves.toBeUndefined();
});

test.each([
  ['own container that just starts holds it, although Docker lists it without ports', 'local', undefined],
  ['container of another environment is no excuse', 'other', /held by a process/],
])('the environment’s %s', async (_, environment, refusal) => {
  const starting = { Id: 'abc', Names: ['/ebs-minio'], Image: 'i', Labels: { [LABEL]: environment }, Ports: [] };
  const HostConfig = { PortBindings: { '9000/tcp': [{ HostIp: '127.0.0.1', HostPort: String(server.port) }] } };
  const docker = {
    listContainers: () => Promise.resolve([starting]),
    getContainer: () => ({ inspect: () => Promise.resolve({ HostConfig }) }),
  };
  const required = requireOf(docker, [want(server.port, 'S3 API, minio.port')]);
  await (refusal === undefined ? expect(required).resolves.toBeUndefined() : expect(required).rejects.toThrow(refusal));
});

test('the same port of another address is free', async () => {
  const other = { name: 'grafana', address: '192.0.2.1', port: 9000 };
  await expect(require([want(9000, 'S3 API, minio.port')], [other], false)).resolves.toBeUndefined();
});

test('an address that the machine does not have is refused', async () => {
  const error = await rejectionOf(require([want(9000, 'S3 API, minio.port', '192.0.2.1')]));
  expect(error.message).toBe(
    'a port cannot be used:\n  - 192.0.2.1:9000 (S3 API, minio.port): this machine has no such address',
  );
});

test('ports of this machine do not matter to an engine elsewhere', async () => {
  await expect(require([want(server.port, 'S3 API, minio.port')], [], false)).resolves.toBeUndefined();
});
