import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../../config/load';
import { stateLayout } from '../../../../config/state/layout';
import { forgetSource } from '../../../../operations/keys/migrate/forget-source';
import { thisTerraform } from '../../../../operations/terraform/terraform';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { initialised, terraformIsThere } from '../../../helpers/terraform';

const folder = useTemporaryFolder();

function resource(type: string, instances: readonly object[] = [{ schema_version: 0, attributes: { id: 'kes' } }]) {
  const provider = 'provider["registry.terraform.io/hashicorp/vault"]';
  return { mode: 'managed', type, name: 'One', provider, instances };
}
const MOUNT = resource('vault_mount');
const POLICY = resource('vault_policy');
const VOLUME = resource('docker_volume');
const OPERATION = resource('terraform_data');

const stateOf = (resources: readonly object[]): string =>
  JSON.stringify({ version: 4, terraform_version: '1.5.0', serial: 1, lineage: 'one', outputs: {}, resources });

/** An environment whose `keystore` stack has this state. */
function environmentWith(state: string | undefined) {
  const layout = stateLayout('home', folder());
  mkdirSync(layout.terraform, { recursive: true });
  mkdirSync(layout.logs, { recursive: true });
  const file = path.join(layout.terraform, 'keystore.tfstate');
  // before there is a state, whose providers it would fetch
  if (terraformIsThere) initialised(folder(), file);
  if (state !== undefined) writeFileSync(file, state);
  return { source: { environment: parseEnvironment('name: home', 'home.yaml'), state: layout }, file };
}

const terraform = thisTerraform(new AbortController().signal, {
  TF_CLI_CONFIG_FILE: '/dev/null',
  CHECKPOINT_DISABLE: '1',
});

test.each([
  ['is lost', undefined],
  ['was emptied by a kill', ''],
  ['was cut short by a kill', stateOf([]).slice(0, -1)],
])('a state that %s names nothing to forget', async (_, state) => {
  const { source } = environmentWith(state);
  expect(await forgetSource({ source, folder: folder(), terraform, onlyMount: false })).toBe(0);
});

(terraformIsThere ? describe : describe.skip)('what Terraform forgets', () => {
  test.each([
    ['is all that it had at another place', false, 3, ['terraform_data']],
    ['is only the mount in the same Vault', true, 1, ['vault_policy', 'docker_volume', 'terraform_data']],
  ])('%s, and nothing more where a kill came before that was noted', async (_, onlyMount, count, rest) => {
    const { source, file } = environmentWith(stateOf([MOUNT, POLICY, VOLUME, OPERATION]));
    const forget = () => forgetSource({ source, folder: folder(), terraform, onlyMount });
    // WHEN
    expect(await forget()).toBe(count);
    expect(await forget()).toBe(0);
    // THEN
    const { resources } = JSON.parse(readFileSync(file, 'utf8')) as { resources: { type: string }[] };
    expect(resources.map(({ type }) => type).sort()).toEqual([...rest].sort());
  });
});
