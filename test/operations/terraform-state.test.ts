import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../config/load';
import { stateLayout } from '../../config/state';
import { deployedPaths } from '../../operations/terraform-state';
import { useTemporaryFolder } from '../helpers/temporary-folder';

const environment = parseEnvironment('name: home', 'test.yaml');
const folder = useTemporaryFolder();

test('what a stack made is known with its path; what it only read, or declared zero times, is not among it', async () => {
  const state = stateLayout('home', folder());
  expect(await deployedPaths({ environment, state }, 'keystore')).toEqual(new Set());
  mkdirSync(state.terraform, { recursive: true });
  const resource = (mode: string, type: string, ...instances: object[]) => ({ mode, type, instances });
  writeFileSync(
    path.join(state.terraform, 'keystore.tfstate'),
    JSON.stringify({
      version: 4,
      resources: [
        resource('managed', 'vault_mount', { attributes: { path: 'team/kes', type: 'kv' } }),
        resource('managed', 'vault_auth_backend', { attributes: { path: 'approle/' } }),
        resource('managed', 'vault_policy', { attributes: { name: 'kes' } }),
        resource('managed', 'vault_audit'),
        resource('data', 'vault_mount', { attributes: { path: 'read' } }),
      ],
    }),
  );
  expect(await deployedPaths({ environment, state }, 'keystore')).toEqual(
    new Set(['vault_mount team/kes', 'vault_auth_backend approle']),
  );
});
