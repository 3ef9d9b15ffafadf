/** Where Terraform gets its providers from: the registry, or a filesystem mirror of what was built here. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, link, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { PROVIDER_VERSIONS } from '../../../config/provider-versions';
import type { Toolchain } from '../../../config/toolchain';
import { ExternalError } from '../../lib/errors';
import { type CacheLayout, provideFolder, type WorkOptions } from '../cache';
import { type BuiltProvider, dockerProvider, vaultProvider } from './programs';
import { type ProviderVersion, REGISTRY_HOSTS } from '../images/registry';

export type ProviderChoice = Toolchain['providers'];

/** Versions that the environment file or the environment variables insist on. */
export interface ForcedProviders {
  readonly vault?: string | undefined;
  readonly docker?: string | undefined;
}

/** What was found out about this machine. */
export interface ProviderSituation {
  readonly forced: ForcedProviders;
  /** The user's own Terraform CLI configuration, which says where providers are. */
  readonly userConfiguration?: string | undefined;
  /** Why the registry did not answer; `undefined` where it did. */
  readonly registryProblem?: string | undefined;
}

/**
 * The registry does not answer either where its downloads cannot be fetched.
 *
 * | Terraform configuration of the user | forced versions      | registry  | → source, versions              |
 * | ----------------------------------- | -------------------- | --------- | ------------------------------- |
 * | yes                                 | any                  | not asked | registry: forced, else the same |
 * | no                                  | any                  | answers   | registry: forced, else the same |
 * | no                                  | none, or the same    | does not  | mirror: the ones built here     |
 * | no                                  | others               | does not  | ERROR!                          |
 *
 * "The same" are {@link PROVIDER_VERSIONS}, which the registry has and which can be built here.
 */
export function chooseProviders({ forced, userConfiguration, registryProblem }: ProviderSituation): ProviderChoice {
  const versions = {
    docker: forced.docker ?? PROVIDER_VERSIONS.docker,
    vault: forced.vault ?? PROVIDER_VERSIONS.vault,
  };
  // the shim leaves that configuration alone, so a mirror of ours would not be looked at
  if (userConfiguration !== undefined || registryProblem === undefined) return { source: 'registry', ...versions };

  const others = otherVersions(forced);
  if (others.length > 0) {
    throw new ExternalError(
      `${others.map(({ address, version }) => `${address} ${version}`).join(' and ')} can only come from the Terraform registry, which cannot be reached: ${registryProblem}`,
      `Drop the version to use what can be built here (docker ${PROVIDER_VERSIONS.docker}, vault ${PROVIDER_VERSIONS.vault}), or name a mirror of your own in a Terraform CLI configuration file (TF_CLI_CONFIG_FILE).`,
    );
  }
  return { source: 'mirror', ...versions };
}

/** What is forced and is not what this project is tested with: only the registry can say whether it exists. */
export function otherVersions(forced: ForcedProviders): ProviderVersion[] {
  return [vaultProvider, dockerProvider].flatMap(({ namespace, type, version }) => {
    const asked = forced[type];
    return asked === undefined || asked === version ? [] : [{ address: `${namespace}/${type}`, version: asked }];
  });
}

/** What would be downloaded, whoever chose it. */
export function versionsToDownload(forced: ForcedProviders): ProviderVersion[] {
  return [vaultProvider, dockerProvider].map(({ namespace, type, version }) => ({
    address: `${namespace}/${type}`,
    version: forced[type] ?? version,
  }));
}

/** The versions asked for by the environment file, or else by the environment variables. */
export function forcedProviders(
  environment: ForcedProviders = {},
  env: NodeJS.ProcessEnv = process.env,
): ForcedProviders {
  // an empty variable is how a shell takes one back
  const given = (value: string | undefined): string | undefined => (value === '' ? undefined : value);
  return {
    vault: environment.vault ?? given(env.EBS_VAULT_PROVIDER_VERSION),
    docker: environment.docker ?? given(env.EBS_DOCKER_PROVIDER_VERSION),
  };
}

/** The Terraform CLI configuration that the user brings, where it exists. */
export function userConfiguration(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const file = env.TF_CLI_CONFIG_FILE;
  return file !== undefined && file !== '' && existsSync(file) ? file : undefined;
}

/** Terraform's name for this machine. */
export function terraformPlatform(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch === 'ia32' ? '386' : process.arch;
  return `${system}_${architecture}`;
}

/** The filesystem mirror that holds these builds. Its name follows from them, so that an update is another mirror. */
function mirrorFolder(cache: CacheLayout, builds: ReadonlyMap<BuiltProvider, string>): string {
  const hash = createHash('sha256');
  for (const [provider, binary] of builds) hash.update(JSON.stringify([provider.version, binary]));
  return path.join(cache.mirrors, hash.digest('hex').slice(0, 16));
}

/** Lays out the mirror unless it is there. */
export async function createMirror(
  cache: CacheLayout,
  builds: ReadonlyMap<BuiltProvider, string>,
  options: WorkOptions = {},
): Promise<string> {
  const mirror = mirrorFolder(cache, builds);
  await provideFolder(mirror, 'laying out the provider mirror', options, async (temporary) => {
    for (const [provider, binary] of builds) {
      for (const host of Object.values(REGISTRY_HOSTS)) {
        const { namespace, type, version } = provider;
        const folder = path.join(temporary, host, namespace, type, version, terraformPlatform());
        await mkdir(folder, { recursive: true });
        const target = path.join(folder, `terraform-provider-${type}_v${version}`);
        await link(binary, target).catch(() => copyFile(binary, target));
      }
    }
  });
  return mirror;
}
