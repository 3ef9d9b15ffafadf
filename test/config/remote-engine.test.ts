import { resolveEngine } from '../../config/docker-engine';
import { parseEnvironment } from '../../config/load';
import { requireReachablePorts } from '../../config/remote-engine';
import { thrownBy } from '../helpers/thrown';

const tried = (host: string, publishAddress: string) => () => {
  const environment = parseEnvironment(
    `name: demo\ndocker: { host: "${host}", publishAddress: "${publishAddress}" }`,
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
  expect(tried(host, address)).not.toThrow();
});

test.each(['127.0.0.1', '127.1.2.3', '0.0.0.0'])('what another machine publishes on %s is not', (address) => {
  expect(thrownBy(tried('ssh://deploy@nas', address))).toMatchObject({
    name: 'UsageError',
    message: `docker.publishAddress: must be an address of nas by which this machine reaches it, because the Docker engine is there (docker.host, ssh://deploy@nas), got: ${address}`,
    hint: 'write for example docker: {publishAddress: 192.0.2.10}, and let a firewall say who else reaches it; nothing was changed',
  });
});
