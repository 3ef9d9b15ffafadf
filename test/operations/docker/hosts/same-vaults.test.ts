import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../../config/load';
import { stateLayout } from '../../../../config/state/layout';
import { requireSameVaults } from '../../../../operations/docker/hosts/same-vaults';
import type { LoadedEnvironment } from '../../../../operations/state/load';
import { writeKeyStoreNote } from '../../../../operations/state/notes/key-store-note';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

const folder = useTemporaryFolder();

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const hosts = NAMES.map((name, index) => ({ name, docker: `ssh://${name}`, address: `192.0.2.${index + 1}` }));
const AWS = 'keyStore: { type: aws, region: eu-central-1 }\n';
const vaultsOn = (...names: readonly string[]) => `vault: { mode: embedded, hosts: [${names.join(', ')}] }\n`;

/** Five hosts, and what Terraform made on those that are named. @param isWhole whether a deploy has come to its end */
function declare(settings: string, deployed: readonly string[], isWhole = true): LoadedEnvironment {
  const environment = parseEnvironment(`name: x\n${settings}hosts: ${JSON.stringify(hosts)}\n`, 'x.yaml');
  const state = stateLayout('x', path.join(folder(), 'state'));
  mkdirSync(state.terraform, { recursive: true });
  for (const name of deployed) {
    const resources = [{ mode: 'managed', type: 'docker_container', instances: [{ attributes: {} }] }];
    writeFileSync(path.join(state.terraform, `vault-${name}.tfstate`), JSON.stringify({ resources }));
  }
  if (isWhole) writeFileSync(state.canaries, '{}');
  return { environment, state, file: 'x.yaml', argument: 'x' };
}

test.each([
  ['a first deploy', vaultsOn('c', 'd', 'e'), []],
  ['the same hosts in another order', vaultsOn('e', 'd', 'c'), ['c', 'd', 'e']],
  ['those that are named now, and were the first five', vaultsOn(...NAMES), NAMES],
  ['master keys elsewhere', AWS, ['a', 'b', 'c']],
])('%s: deployed', async (_, settings, deployed) => {
  await expect(requireSameVaults(declare(settings, deployed))).resolves.toBeUndefined();
});

test.each([
  ['one moves', vaultsOn('a', 'b', 'd'), ['a', 'b', 'c'], 'a, b, c', 'a, b, d'],
  ['there are more', '', ['a', 'b', 'c'], 'a, b, c', 'a, b, c, d, e'],
  ['there are fewer', vaultsOn('a', 'b', 'c'), NAMES, 'a, b, c, d, e', 'a, b, c'],
])('%s: refused before anything is touched', async (_, settings, deployed, were, are) => {
  expect(await rejectionOf(requireSameVaults(declare(settings, deployed)))).toMatchObject({
    message: `vault.hosts: the Vaults of environment x are on ${were}, and cannot change their hosts, got: ${are}`,
    hint: 'put the old setting back; a host is replaced by another machine under its name. Nothing was changed',
  });
});

test('a deploy that has come to some of them goes on', async () => {
  await expect(requireSameVaults(declare(vaultsOn('a', 'c', 'e'), ['a'], false))).resolves.toBeUndefined();
});

test('so does a migration to them', async () => {
  const loaded = declare(vaultsOn('a', 'c', 'e'), ['a']);
  const from = { type: 'aws', region: 'eu-central-1', endpoint: 'https://x' } as const;
  const to = { type: 'vault', mount: 'kes', prefix: 'x', kvVersion: 2 } as const;
  writeKeyStoreNote(loaded.state.keyStore, from, { to, sourceForgotten: true });
  await expect(requireSameVaults(loaded)).resolves.toBeUndefined();
});
