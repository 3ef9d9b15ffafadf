import { resolveEngine } from '../../../../config/docker/docker-engine';
import { parseEnvironment } from '../../../../config/load';
import { requireReachablePorts } from '../../../../operations/docker/engine/remote-engine';
import { thrownBy } from '../../../helpers/thrown';

const NEAR = { docker: '192.0.2.10', kes: '192.0.2.10', vault: '192.0.2.10' };

const tried = (host: string, addresses: typeof NEAR) => () => {
  const { docker, kes, vault } = addresses;
  const environment = parseEnvironment(
    `name: demo
docker: { host: "${host}", publishAddress: "${docker}" }
kes: { publishAddress: "${kes}" }
vault: { mode: embedded, publishAddress: "${vault}" }`,
    'demo.yaml',
  );
  requireReachablePorts(environment, resolveEngine(environment.docker, {}));
};

test.each([
  ['unix:///var/run/docker.sock', '127.0.0.1'],
  ['ssh://root@localhost', '127.0.0.1'],
  ['tcp://127.0.0.1:2375', '0.0.0.0'],
  ['ssh://nas', '192.0.2.10'],
])('what %s publishes on %s is reached', (host, address) => {
  expect(tried(host, { ...NEAR, docker: address, kes: address })).not.toThrow();
});

test.each([
  ['docker', '127.0.0.1'],
  ['docker', '127.1.2.3'],
  ['docker', '0.0.0.0'],
  ['docker', '::'],
  ['kes', '::1'],
  ['vault', '127.0.0.1'],
])('what another machine publishes by %s.publishAddress on %s is not', (section, address) => {
  expect(thrownBy(tried('ssh://deploy@nas', { ...NEAR, [section]: address }))).toMatchObject({
    name: 'UsageError',
    message: `${section}.publishAddress: must be an address of nas by which this machine reaches it, because the Docker engine is there (docker.host, ssh://deploy@nas), got: ${address}`,
    hint: `write for example ${section}: {publishAddress: 192.0.2.10}, and let a firewall say who else reaches it; nothing was changed`,
  });
});

test('all that is to be set is named at once', () => {
  const loopback = { docker: '127.0.0.1', kes: '127.0.0.1', vault: '127.0.0.1' };
  expect(thrownBy(tried('ssh://nas', loopback))).toMatchObject({
    message:
      'docker.publishAddress, kes.publishAddress, vault.publishAddress: must be an address of nas by which this machine reaches it, because the Docker engine is there (docker.host, ssh://nas), got: 127.0.0.1, 127.0.0.1, 127.0.0.1',
    hint: 'write for example docker: {publishAddress: 192.0.2.10}, kes: {publishAddress: 192.0.2.10}, vault: {publishAddress: 192.0.2.10}, and let a firewall say who else reaches it; nothing was changed',
  });
});
