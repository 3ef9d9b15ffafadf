import type Docker from 'dockerode';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../config/load';
import { stateLayout } from '../../config/state';
import { removeStrays } from '../../operations/strays';
import { useTemporaryFolder } from '../helpers/temporary-folder';

const folder = useTemporaryFolder();
const OWNER = { name: 'label', value: 'demo' };

/** A Docker with containers and one network, which notes what is removed. */
function fakeDocker(containers: readonly string[], networks: readonly string[]) {
  const removed: string[] = [];
  const remove = (id: string) => () => Promise.resolve(void removed.push(id));
  const docker = {
    listContainers: () => Promise.resolve(containers.map((id) => ({ Id: id, Names: [`/name-of-${id}`], Created: 1 }))),
    listVolumes: () => Promise.resolve({ Volumes: [{ Name: 'ebs-demo-minio-data' }] }),
    listNetworks: () => Promise.resolve(networks.map((id) => ({ Id: id, Name: `name-of-${id}` }))),
    getContainer: (id: string) => ({ stop: () => Promise.resolve(), remove: remove(id) }),
    getNetwork: (id: string) => ({ remove: remove(id) }),
  };
  return { docker: docker as unknown as Docker, removed };
}

function deployed(states: Readonly<Record<string, unknown>>, marker = true) {
  const text = `name: demo\nstate: { backend: local, directory: ${folder()} }`;
  const state = stateLayout('demo', folder());
  mkdirSync(state.terraform, { recursive: true });
  if (marker) writeFileSync(state.deployment, '{}');
  for (const [stack, content] of Object.entries(states)) {
    writeFileSync(path.join(state.terraform, `${stack}.tfstate`), JSON.stringify(content));
  }
  return { environment: parseEnvironment(text, 'demo.yaml'), file: 'demo.yaml', state };
}

const state = (type: string, ...ids: string[]) => ({
  resources: [{ type, instances: ids.map((id) => ({ attributes: { id } })) }],
});

test.each<[string, Readonly<Record<string, unknown>>, string[]]>([
  ['nothing where all is known', { f: state('docker_network', 'net'), v: state('docker_container', 'a', 'b') }, []],
  [
    'a container that was never written down',
    { f: state('docker_network', 'net'), v: state('docker_container', 'a') },
    ['b'],
  ],
  ['everything in a network that is not known', { v: state('docker_container', 'a', 'b') }, ['a', 'b', 'net']],
  ['everything where the state is lost', {}, ['a', 'b', 'net']],
])('removes %s', async (_, states, expected) => {
  const { docker, removed } = fakeDocker(['a', 'b'], ['net']);
  await expect(removeStrays(deployed(states), docker, OWNER)).resolves.toEqual(expected.map((id) => `name-of-${id}`));
  expect(removed).toEqual(expected);
});

test('what another state folder deployed is refused, and left alone', async () => {
  const { docker, removed } = fakeDocker(['a'], ['net']);
  await expect(removeStrays(deployed({}, false), docker, OWNER)).rejects.toThrow(
    `environment demo runs here (1 containers), but the state folder ${folder()} did not deploy it`,
  );
  expect(removed).toEqual([]);
});

test('a state that cannot be read removes nothing', async () => {
  const { docker, removed } = fakeDocker(['a'], ['net']);
  await expect(removeStrays(deployed({ vault: 'no state' }), docker, OWNER)).rejects.toThrow(
    "vault.tfstate is not Terraform's state",
  );
  expect(removed).toEqual([]);
});
