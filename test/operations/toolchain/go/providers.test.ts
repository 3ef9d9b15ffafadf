import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ExternalError } from '../../../../operations/lib/errors';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import { dockerProvider, vaultProvider } from '../../../../operations/toolchain/go/programs';
import {
  chooseProviders,
  createMirror,
  forcedProviders,
  type ProviderSituation,
  terraformPlatform,
  userConfiguration,
} from '../../../../operations/toolchain/go/providers';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { thrownBy } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const registryProblem = 'https://registry.terraform.io/.well-known/terraform.json: getaddrinfo ENOTFOUND';
const mirror = { source: 'mirror', docker: '4.6.0', vault: '5.9.0' };
const registry = { ...mirror, source: 'registry' };
const same = { docker: '4.6.0', vault: '5.9.0' };
const others = { vault: '5.11.0', docker: '4.7.0' };
const ownFile = '/own.tfrc';

test.each<[string, ProviderSituation, object]>([
  ['the registry answers', { forced: {} }, registry],
  ['it does not', { forced: {}, registryProblem }, mirror],
  ['it does not, but the user has a mirror', { forced: {}, userConfiguration: ownFile, registryProblem }, registry],
  ['the user has a mirror of others', { forced: others, userConfiguration: ownFile }, { ...registry, ...others }],
  ['the versions that are built are asked for', { forced: same }, registry],
  ['they are asked for without a registry', { forced: same, registryProblem }, mirror],
  ['one of them is asked for without a registry', { forced: { vault: '5.9.0' }, registryProblem }, mirror],
  ['others are asked for', { forced: others }, { ...registry, ...others }],
  ['one other is asked for', { forced: { vault: '5.11.0' } }, { ...registry, vault: '5.11.0' }],
])('where %s', (_, situation, expected) => {
  expect(chooseProviders(situation)).toEqual(expected);
});

test('refuses versions that only the registry has while it cannot be reached', () => {
  const error = thrownBy(() => chooseProviders({ forced: others, registryProblem }));
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toBe(
    `hashicorp/vault 5.11.0 and kreuzwerker/docker 4.7.0 can only come from the Terraform registry, which cannot be reached: ${registryProblem}`,
  );
  expect(error).toMatchObject({
    hint: 'Drop the version to use what can be built here (docker 4.6.0, vault 5.9.0), or name a mirror of your own in a Terraform CLI configuration file (TF_CLI_CONFIG_FILE).',
  });
});

test('the environment file wins over the variables, and an empty variable is none', () => {
  const variables = { EBS_VAULT_PROVIDER_VERSION: '5.5.0', EBS_DOCKER_PROVIDER_VERSION: '' };
  expect(forcedProviders({}, variables)).toEqual({ vault: '5.5.0', docker: undefined });
  expect(forcedProviders({ vault: '5.9.0' }, variables).vault).toBe('5.9.0');
});

test('a Terraform configuration counts as brought only where it exists', () => {
  const file = path.join(folder(), 'own.tfrc');
  expect(userConfiguration({ TF_CLI_CONFIG_FILE: file })).toBeUndefined();
  writeFileSync(file, '');
  expect(userConfiguration({ TF_CLI_CONFIG_FILE: file })).toBe(file);
});

test('the mirror serves Terraform and OpenTofu, and another build is another mirror', async () => {
  // GIVEN
  const cache = cacheLayout({ XDG_CACHE_HOME: folder() });
  mkdirSync(path.join(folder(), 'builds'));
  const build = (name: string): string => {
    const file = path.join(folder(), 'builds', name);
    writeFileSync(file, name, { mode: 0o755 });
    return file;
  };
  const builds = new Map([
    [dockerProvider, build('docker')],
    [vaultProvider, build('vault')],
  ]);

  // WHEN
  const first = await createMirror(cache, builds);

  // THEN
  for (const host of ['registry.terraform.io', 'registry.opentofu.org']) {
    const at = (...parts: string[]) => path.join(first, host, ...parts);
    const vaultFile = at('hashicorp', 'vault', '5.9.0', terraformPlatform(), 'terraform-provider-vault_v5.9.0');
    const dockerFile = at('kreuzwerker', 'docker', '4.6.0', terraformPlatform(), 'terraform-provider-docker_v4.6.0');
    expect(readFileSync(vaultFile, 'utf8')).toBe('vault');
    expect(readFileSync(dockerFile, 'utf8')).toBe('docker');
  }
  expect(await createMirror(cache, builds)).toBe(first);
  expect(await createMirror(cache, builds.set(vaultProvider, build('newer')))).not.toBe(first);
});
