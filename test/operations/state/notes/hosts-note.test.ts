import { mkdirSync, writeFileSync } from 'node:fs';
import { parseEnvironment } from '../../../../config/load';
import { nodesOf, notedPool } from '../../../../config/node';
import { hostEngine, type StateLayout, stateLayout } from '../../../../config/state/layout';
import { rememberEngine } from '../../../../operations/docker/engine/engine-identity';
import { requireSameHosts } from '../../../../operations/state/notes/hosts-note';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { thrownBy } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
let state: StateLayout;

beforeEach(() => {
  state = stateLayout('x', folder());
  mkdirSync(state.engines, { recursive: true });
});

function declared(names: string, pools?: readonly number[]) {
  const hosts = Array.from(names, (name, index) => ({
    name,
    docker: `ssh://${name}`,
    address: `192.0.2.${index + 1}`,
  }));
  const settings = {
    name: 'x',
    ...(names === '' ? {} : { hosts }),
    ...(pools === undefined ? {} : { minio: { pools } }),
  };
  return parseEnvironment(JSON.stringify(settings), 'test.yaml');
}

/** What a deploy notes. */
function deploy(names: string, pools?: readonly number[]): void {
  const environment = declared(names, pools);
  for (const node of nodesOf(environment)) {
    const { host, number } = node;
    if (host === undefined) continue;
    const note = { id: `ID-${host.name}`, name: host.name, host: `ssh://${host.name}`, number };
    rememberEngine(hostEngine(state, host.name), { ...note, ...notedPool(environment, node) });
  }
}

/** What the first deploy leaves when it has come to every host. */
function endFirstDeploy(): void {
  writeFileSync(state.canaries, '{}');
}

test.each([
  ['the same hosts', 'abc', undefined, 'abc', undefined],
  ['the same hosts, as one pool', 'abc', undefined, 'abc', [3]],
  ['another pool', 'abc', undefined, 'abcdef', [3, 3]],
  ['a third pool of another size', 'abcdef', [3, 3], 'abcdefghij', [3, 3, 4]],
  ['one host', '', undefined, '', undefined],
])('%s can be deployed', (_, before, poolsBefore, names, pools) => {
  deploy(before, poolsBefore);
  endFirstDeploy();
  expect(() => {
    requireSameHosts(declared(names, pools), state);
  }).not.toThrow();
});

test('the deploy of another pool that was killed can be run again', () => {
  deploy('abc');
  endFirstDeploy();
  const environment = declared('abcdef', [3, 3]);
  const fourth = nodesOf(environment)[3];
  if (fourth === undefined) throw new Error('there are six');
  const note = { id: 'ID-d', name: 'd', host: 'ssh://d', number: 4, ...notedPool(environment, fourth) };
  rememberEngine(hostEngine(state, 'd'), note);
  expect(() => {
    requireSameHosts(environment, state);
  }).not.toThrow();
});

test('before the first deploy has come to every host, hosts may change', () => {
  deploy('abc');
  expect(() => {
    requireSameHosts(declared('cabd'), state);
  }).not.toThrow();
});

test.each([
  ['a host more in a pool', 'abc', undefined, 'abcd', undefined, 'a, b, c', 'a, b, c, d'],
  ['a host less', 'abcd', undefined, 'abc', undefined, 'a, b, c, d', 'a, b, c'],
  ['another order', 'abc', undefined, 'bac', undefined, 'a, b, c', 'b, a, c'],
  ['a pool less', 'abcdef', [3, 3], 'abc', undefined, 'a, b, c and d, e, f', 'a, b, c'],
  ['two pools that become one', 'abcdef', [3, 3], 'abcdef', undefined, 'a, b, c and d, e, f', 'a, b, c, d, e, f'],
  ['one pool that becomes two', 'abcdef', undefined, 'abcdef', [3, 3], 'a, b, c, d, e, f', 'a, b, c and d, e, f'],
  ['a pool in front', 'abc', undefined, 'defabc', [3, 3], 'a, b, c', 'd, e, f and a, b, c'],
  ['hosts where there was one', '', undefined, 'abc', undefined, 'one host, without hosts', 'a, b, c'],
  ['one where there were hosts', 'abc', undefined, '', undefined, 'a, b, c', 'no hosts'],
])('%s is refused', (_, before, poolsBefore, names, pools, was, is) => {
  deploy(before, poolsBefore);
  endFirstDeploy();
  expect(
    thrownBy(() => {
      requireSameHosts(declared(names, pools), state);
    }),
  ).toMatchObject({
    message: `hosts: environment x was deployed on ${was}, and neither the order of hosts nor their pools can change, got: ${is}`,
    hint: 'put the old setting back; a host is replaced by another machine under its name, and more hosts are another pool of minio.pools: docs/hosts.md. Nothing was changed',
  });
});
