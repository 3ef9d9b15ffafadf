import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type KeyStorePlace, writeKeyStoreNote } from '../../../../config/key-store-place';
import { parseEnvironment } from '../../../../config/load';
import { stateLayout } from '../../../../config/state';
import { forgetSource, hasForgottenSource } from '../../../../operations/keys/migrate/forget-source';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { initialised, terraformIsThere } from '../../../helpers/terraform';

const FROM: KeyStorePlace = { type: 'vault', mount: 'kes', prefix: 'home', kvVersion: 2 };
const TO: KeyStorePlace = { ...FROM, mount: 'kes-next' };
const UNDER_WAY = { to: TO, sourceForgotten: false };
const NOTED = { to: TO, sourceForgotten: true };

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

/** An environment with this note of a migration, whose `keystore` stack has this state. */
function interrupted(state: string | undefined, migration?: Parameters<typeof writeKeyStoreNote>[2]) {
  const layout = stateLayout('home', folder());
  mkdirSync(layout.terraform, { recursive: true });
  writeKeyStoreNote(layout.keyStore, FROM, migration);
  if (state !== undefined) writeFileSync(path.join(layout.terraform, 'keystore.tfstate'), state);
  return { environment: parseEnvironment('name: home', 'home.yaml'), state: layout };
}

describe('the source of a migration is forgotten', () => {
  test('where it is noted: what the state names is of the target', async () => {
    expect(await hasForgottenSource(interrupted(stateOf([MOUNT, POLICY]), NOTED), false)).toBe(true);
  });

  test.each([
    ['names nothing of a place', false, [OPERATION]],
    ['names what it only began to make', false, [resource('vault_mount', []), OPERATION]],
    ['names of the same Vault all but the mount', true, [POLICY, OPERATION]],
  ])('where a kill came before the note, and the state %s', async (_, onlyMount, resources) => {
    expect(await hasForgottenSource(interrupted(stateOf(resources), UNDER_WAY), onlyMount)).toBe(true);
  });
});

describe('the source of a migration is not forgotten', () => {
  test('before one is under way, whatever the state names', async () => {
    expect(await hasForgottenSource(interrupted(stateOf([])), false)).toBe(false);
  });

  test.each([
    ['the mount, of the same Vault', true, [MOUNT, POLICY]],
    ['the policy, of another Vault', false, [POLICY]],
    ['the volume with the files', false, [VOLUME]],
  ])('while the state names %s', async (_, onlyMount, resources) => {
    expect(await hasForgottenSource(interrupted(stateOf([...resources, OPERATION]), UNDER_WAY), onlyMount)).toBe(false);
  });

  test.each([
    ['is lost', undefined],
    ['was emptied by a kill', ''],
    ['was cut short by a kill', stateOf([]).slice(0, -1)],
  ])('as far as anybody knows where the state %s', async (_, state) => {
    expect(await hasForgottenSource(interrupted(state, UNDER_WAY), false)).toBe(false);
  });
});

(terraformIsThere ? describe : describe.skip)('what Terraform forgets', () => {
  test.each([
    ['is all that it had at another place', false, 3, ['terraform_data']],
    ['is only the mount in the same Vault', true, 1, ['vault_policy', 'docker_volume', 'terraform_data']],
  ])('%s, and the state tells so when the note is missing', async (_, onlyMount, count, rest) => {
    const source = interrupted(undefined, UNDER_WAY);
    const file = path.join(source.state.terraform, 'keystore.tfstate');
    // before there is a state, whose providers it would fetch
    initialised(folder(), file);
    writeFileSync(file, stateOf([MOUNT, POLICY, VOLUME, OPERATION]));
    // WHEN
    expect(await forgetSource({ folder: folder(), logFile: path.join(folder(), 'log'), onlyMount })).toBe(count);
    // THEN
    const { resources } = JSON.parse(readFileSync(file, 'utf8')) as { resources: { type: string }[] };
    expect(resources.map(({ type }) => type).sort()).toEqual([...rest].sort());
    expect(await hasForgottenSource(source, onlyMount)).toBe(true);
  });
});
