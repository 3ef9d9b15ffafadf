import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { hostRoutes, routeConflicts } from '../../../../operations/docker/hosts/host-routes';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();

/** A default route, a direct one, and one through the VPN. */
const LIST = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t0000000A\t01000A0A\t0003\t0\t0\t0\t000000FF\t0\t0\t0
`;

function routes() {
  const file = path.join(folder(), 'route');
  writeFileSync(file, LIST);
  return hostRoutes(file);
}

test('the routes of Linux, without the default one', () => {
  expect(routes()).toEqual([
    { range: '192.168.1.0/24', by: 'eth0', direct: true },
    { range: '10.0.0.0/8', by: 'tun0', direct: false },
  ]);
});

test('a machine without such a list has none', () => {
  expect(hostRoutes(path.join(folder(), 'nothing'))).toEqual([]);
});

test.each([
  ['a part of the own link', '192.168.1.128/25', ['eth0'], []],
  ['more than the own link', '192.168.0.0/16', ['eth0'], []],
  ['a part of what is behind the VPN', '10.89.0.0/25', [], ['tun0']],
  ['all that is behind the VPN', '10.0.0.0/8', ['tun0'], []],
  ['something else', '172.30.0.0/24', [], []],
])('%s', (_, subnet, taken, cut) => {
  const conflicts = routeConflicts(subnet, routes());
  expect(conflicts.taken.map(({ by }) => by)).toEqual(taken);
  expect(conflicts.cut.map(({ by }) => by)).toEqual(cut);
});
