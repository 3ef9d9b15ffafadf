/** Where Terraform gets its providers from: the registry, or a filesystem mirror of what was built here. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, link, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { registryToolchain, type Toolchain } from '../../config/toolchain';
import { ExternalError, UsageError } from '../errors';
import { type CacheLayout, provideFolder, type WorkOptions } from './cache';
import { type BuiltProvider, dockerProvider, vaultProvider } from './programs';
import { REGISTRY_HOSTS } from './registry';

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
 * | Terraform configuration of the user | forced versions        | registry  | → source, versions             |
 * | ----------------------------------- | ---------------------- | --------- | ------------------------------ |
 * | yes                                 | any                    | not asked | registry: forced, else current |
 * | no                                  | vault is the built one | either    | mirror: the ones built here    |
 * | no                                  | … and another docker   | either    | ERROR!                         |
 * | no                                  | others, or none        | answers   | registry: forced, else current |
 * | no                                  | none                   | does not  | mirror: the ones built here    |
 * | no                                  | others                 | does not  | ERROR!                         |
 */
export function chooseProviders({ forced, userConfiguration, registryProblem }: ProviderSituation): ProviderChoice {
  const mirror: ProviderChoice = { source: 'mirror', docker: dockerProvider.version, vault: vaultProvider.version };
  const registry: ProviderChoice = {
    source: 'registry',
    docker: forced.docker ?? registryToolchain.providers.docker,
    vault: forced.vault ?? registryToolchain.providers.vault,
  };
  // the shim leaves that configuration alone, so a mirror of ours would not be looked at
  if (userConfiguration !== undefined) return registry;

  const wantsOtherDocker = forced.docker !== undefined && forced.docker !== mirror.docker;
  if (forced.vault === mirror.vault) {
    if (wantsOtherDocker) {
      throw new UsageError(
        `providers.vault ${mirror.vault} is built here, where providers.docker is ${mirror.docker}, got: ${forced.docker}`,
        `Ask for docker ${mirror.docker}, or for a vault provider of the registry such as ${registryToolchain.providers.vault}.`,
      );
    }
    return mirror;
  }
  if (registryProblem === undefined) return registry;
  if (forced.vault !== undefined || wantsOtherDocker) {
    const asked = [
      ...(forced.vault === undefined ? [] : [`hashicorp/vault ${forced.vault}`]),
      ...(wantsOtherDocker ? [`kreuzwerker/docker ${forced.docker}`] : []),
    ].join(' and ');
    throw new ExternalError(
      `${asked} can only come from the Terraform registry, which cannot be reached: ${registryProblem}`,
      `Drop the version to use what can be built here (docker ${mirror.docker}, vault ${mirror.vault}), or name a mirror of your own in a Terraform CLI configuration file (TF_CLI_CONFIG_FILE).`,
    );
  }
  return mirror;
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
export function mirrorFolder(cache: CacheLayout, builds: ReadonlyMap<BuiltProvider, string>): string {
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
