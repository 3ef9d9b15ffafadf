import type Docker from 'dockerode';
import type { Route } from '../../../operations/docker/hosts/host-routes';
import { requireFreeNetworks, type WantedNetwork } from '../../../operations/docker/networks-preflight';
import { rejectionOf } from '../../helpers/thrown';

const OWNER = { name: 'encrypted-backup-storage.environment', value: 'demo' };

/** An engine with one network, which makes others unless it is told what to say. */
class FakeEngine {
  readonly left: string[] = [];
  readonly asked: unknown[] = [];

  private readonly refusal: string | undefined;

  constructor(refusal?: string) {
    this.refusal = refusal;
  }

  readonly announced: string[] = [];

  request(networks: readonly WantedNetwork[], routes: readonly Route[] = []) {
    const announce = (line: string): void => void this.announced.push(line);
    const docker = this as unknown as Docker;
    return requireFreeNetworks({ networks, owner: OWNER, docker, routes, announce, settings: 'demo.yaml' });
  }

  listNetworks() {
    return Promise.resolve([
      { Name: 'office', IPAM: { Config: [{ Subnet: '10.5.0.0/16' }, { Subnet: 'fd00::/64' }] } },
    ]);
  }

  createNetwork(asked: { Name: string; IPAM?: { Config: { Subnet: string }[] } }) {
    this.asked.push(asked);
    if (this.refusal !== undefined) return Promise.reject(new Error(this.refusal));
    this.left.push(asked.Name);
    return Promise.resolve({
      inspect: () => Promise.resolve({ IPAM: asked.IPAM ?? { Config: [{ Subnet: '172.30.0.0/16' }] } }),
      remove: () => Promise.resolve(this.left.splice(this.left.indexOf(asked.Name), 1)),
    });
  }
}

test('networks are tried with their label and range, and nothing of them is left', async () => {
  const engine = new FakeEngine();
  const wanted = [{ name: 'ebs-demo' }, { name: 'ebs-demo-vault', subnet: '10.6.0.0/24' }, { name: 'office' }];
  await expect(engine.request(wanted)).resolves.toEqual(['172.30.0.0/16', '10.6.0.0/24']);
  expect(engine.asked).toEqual([
    { Name: expect.stringMatching(/^ebs-demo-preflight-/) as string, Labels: { [OWNER.name]: 'demo' } },
    {
      Name: expect.stringMatching(/^ebs-demo-vault-preflight-/) as string,
      Labels: { [OWNER.name]: 'demo' },
      IPAM: { Config: [{ Subnet: '10.6.0.0/24' }] },
    },
  ]);
  expect(engine.left).toEqual([]);
});

test.each([
  [
    'Docker 20.10 has no pool left',
    'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network',
    undefined,
    'Docker has no addresses left for network ebs-demo: its 1 networks and the routes of its host take all of its address pools',
    'Remove unused networks (docker network prune), or write a free range into demo.yaml, such as docker: {subnet: 10.123.0.0/24}.',
  ],
  [
    'Docker 28 has no pool left',
    'all predefined address pools have been fully subnetted',
    undefined,
    'Docker has no addresses left for network ebs-demo: its 1 networks and the routes of its host take all of its address pools',
    'Remove unused networks (docker network prune), or write a free range into demo.yaml, such as docker: {subnet: 10.123.0.0/24}.',
  ],
  [
    'another network has the range',
    'Pool overlaps with other one on this address space',
    '10.5.9.0/25',
    'docker.subnet: 10.5.9.0/25 of network ebs-demo overlaps office (10.5.0.0/16)',
    'Write a free range into demo.yaml, or remove what has it.',
  ],
  [
    'anything else',
    'permission denied',
    undefined,
    'Docker cannot make network ebs-demo: permission denied',
    undefined,
  ],
])('refused where %s', async (_case, refusal, subnet, message, hint) => {
  const error = await rejectionOf(new FakeEngine(refusal).request([{ name: 'ebs-demo', subnet }]));
  expect(error).toMatchObject({ message, hint });
});

describe('routes of the machine, which Docker does not look at where it is told a range', () => {
  const wanted = [{ name: 'ebs-demo', subnet: '10.6.0.0/24' }];

  test('one that the range would compete with is refused, before anything is made', async () => {
    const engine = new FakeEngine();
    const error = await rejectionOf(engine.request(wanted, [{ range: '10.6.0.0/16', by: 'eth0', direct: true }]));
    expect(error).toMatchObject({
      message: 'docker.subnet: 10.6.0.0/24 of network ebs-demo overlaps a route of this machine: 10.6.0.0/16 (eth0)',
      hint: 'Write a range into demo.yaml that this machine does not use.',
    });
    expect(engine.asked).toEqual([]);
  });

  test('a larger one behind a gateway is named, and the range is used', async () => {
    const engine = new FakeEngine();
    const routes = [{ range: '10.0.0.0/8', by: 'tun0', direct: false }];
    await expect(engine.request(wanted, routes)).resolves.toEqual(['10.6.0.0/24']);
    expect(engine.announced).toEqual([
      'docker.subnet: 10.6.0.0/24 is taken out of 10.0.0.0/8 (tun0): addresses there cannot be reached from this machine',
    ]);
  });
});
