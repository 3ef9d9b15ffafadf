/** Tells Terraform about what a Vault already has, where its state was lost: it would try to make it a second time. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Environment } from '../../config/environment';
import { vaultNames } from '../../config/deployment-names';
import { embeddedVault } from '../../config/vault/vault';
import { vaultVariables } from '../../config/vault/external-vault';
import { provisionedAuditDevices } from '../../config/keys/key-store';
import { vaultAccess } from '../../config/state/endpoints';
import type { LoadedVaultEnvironment } from '../state/load';
import { ExternalError } from '../lib/errors';
import { UnreadableStateError } from './remote-state';
import { restartVault } from '../vault/restart-vault';
import { APPROLE_ROLE, deployedPaths } from './terraform-state';
import { CommandError } from '../lib/command';
import { initialize, runTerraform, thisTerraform } from './terraform';
import type { Step } from '../lib/step';
import { VaultClient } from '../vault/vault-client';
import { readVaultToken } from '../vault/vault-token';
import { howToUnlock } from './state-lock';

/**
 * What cannot be made where it exists, and the list in which Vault says that it does. Their import id is their path. A
 * role is in no list that the provisioner may read; Vault refuses to have one made again, because the provider says then
 * what can be said of a new one only (`local_secret_ids`; resource_approle_auth_backend_role.go, 5.9.0).
 */
const LISTS = { vault_mount: 'sys/mounts', vault_auth_backend: 'sys/auth', vault_audit: 'sys/audit' } as const;
type Listed = keyof typeof LISTS;
type Kind = Listed | typeof APPROLE_ROLE;
const LISTED = Object.keys(LISTS) as Listed[];

/** How many of each are declared in an embedded Vault. */
const declaredOf = (environment: Environment): Readonly<Record<Kind, number>> => ({
  vault_mount: 1,
  vault_auth_backend: 1,
  vault_audit: provisionedAuditDevices(environment).length,
  [APPROLE_ROLE]: 1,
});

const resources = z.record(z.string(), z.object({ path: z.string() }));
const roles = z.record(z.string(), z.object({ backend: z.string(), role_name: z.string() }));
const synthesized = z.object({ resource: z.object({}).catchall(z.unknown()) });
const listing = z.object({ data: z.record(z.string(), z.unknown()) });

/**
 * Imports what Vault has and the state of the `keystore` stack lacks: mounts, audit devices and the role of an embedded
 * Vault, of an external one the role alone, which is named after the environment. The stacks must have been synthesized,
 * and Vault must be unsealed: `foundation` and `vault` were deployed just before.
 *
 * A Vault that lacks an audit device is restarted first: it may have it by half. Where the client goes away while a device
 * is enabled, Vault (1.21, vault/audit.go, enableAudit) has registered it and does not list it; until a restart it can
 * neither be made, "backend already registered", nor removed.
 */
export function adoptKeyStoreStep(loaded: LoadedVaultEnvironment): Step {
  return {
    title: 'Existing key store',
    run: async ({ report, signal }) => {
      const { environment, state } = loaded;
      const folder = path.join(state.cdktfOut, 'stacks', `${environment.name}-keystore`);
      const own = embeddedVault(environment);
      const declared = declaredIn(folder, own !== undefined);
      let present = await presentInVault(loaded, declared);
      if (own !== undefined && declared.some((one) => one.kind === 'vault_audit' && !present.has(keyOf(one)))) {
        report('restarting Vault, which may have half an audit device');
        await restartVault(loaded, own);
        present = await presentInVault(loaded, declared);
      }
      const known = await deployedPaths(loaded, 'keystore');
      const missing = declared.filter((one) => present.has(keyOf(one)) && !known.has(keyOf(one)));
      if (missing.length === 0) return 'Terraform knows all of it';
      const terraform = thisTerraform(signal);
      const output = { logFile: path.join(state.logs, 'adopt.log') };
      try {
        await initialize(folder, terraform, output);
        for (const { address, path: id } of missing) {
          report(address);
          await runTerraform(folder, terraform, ['import', '-input=false', '-no-color', address, id], output);
        }
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        throw new ExternalError(
          `Terraform cannot adopt what Vault holds: ${error.describe()}`,
          howToUnlock(environment, error.tail) ??
            'correct what it names, and run this again; what was adopted stays adopted',
          { cause: error },
        );
      }
      return `${missing.length} adopted`;
    },
  };
}

/**
 * Whether Vault may have what the state of the `keystore` stack does not know: an embedded one has been initialised, and
 * not all that is declared in it is in the state; an external one has the role.
 */
export async function mayNeedAdoption(loaded: LoadedVaultEnvironment): Promise<boolean> {
  const { environment, state } = loaded;
  const { vault } = environment.keyStore;
  if (vault.mode === 'embedded' && !existsSync(state.secret.provisionerToken)) return false;
  let made: Set<string>;
  try {
    made = await deployedPaths(loaded, 'keystore');
  } catch (error) {
    // the step that looks for what a killed deploy has left says so
    if (error instanceof UnreadableStateError) return false;
    throw error;
  }
  const types = [...made].map((one) => one.split(' ')[0]);
  if (vault.mode !== 'embedded') return !types.includes(APPROLE_ROLE) && (await hasRole(loaded));
  return Object.entries(declaredOf(environment)).some(
    ([kind, count]) => types.filter((type) => type === kind).length < count,
  );
}

/** Whether an external Vault has the role. Whatever keeps it from being asked, the preflight says. */
async function hasRole(loaded: LoadedVaultEnvironment): Promise<boolean> {
  const { mount } = loaded.environment.keyStore.approle;
  try {
    const vault = openVault(loaded);
    try {
      return (await vault.probe('GET', rolePath(mount, vaultNames(loaded.environment).kesRole))) === 200;
    } finally {
      vault.close();
    }
  } catch {
    return false;
  }
}

function rolePath(backend: string, name: string): string {
  return `auth/${backend}/role/${name}`;
}

/** One that is declared. */
interface Declared {
  readonly kind: Kind;
  readonly address: string;
  readonly path: string;
}

/** @param embedded whether mounts and audit devices are this environment's for certain */
function declaredIn(folder: string, embedded: boolean): Declared[] {
  const { resource } = synthesized.parse(JSON.parse(readFileSync(path.join(folder, 'cdk.tf.json'), 'utf8')));
  const declared = (kind: Kind, name: string, path: string): Declared => ({ kind, address: `${kind}.${name}`, path });
  const listed = (embedded ? LISTED : []).flatMap((kind) =>
    Object.entries(resources.parse(resource[kind] ?? {})).map(([name, { path }]) => declared(kind, name, path)),
  );
  const role = Object.entries(roles.parse(resource[APPROLE_ROLE] ?? {})).map(([name, { backend, role_name }]) =>
    declared(APPROLE_ROLE, name, rolePath(backend, role_name)),
  );
  return [...listed, ...role];
}

/** As {@link deployedPaths} has it. */
function keyOf({ kind, path }: Pick<Declared, 'kind' | 'path'>): string {
  return `${kind} ${path}`;
}

/** Which of what is declared Vault says that it has. */
async function presentInVault(loaded: LoadedVaultEnvironment, declared: readonly Declared[]): Promise<Set<string>> {
  const vault = openVault(loaded);
  try {
    const found = new Set<string>();
    for (const one of declared) {
      if (one.kind === APPROLE_ROLE && (await vault.probe('GET', one.path)) === 200) found.add(keyOf(one));
    }
    for (const kind of LISTED.filter((listed) => declared.some((one) => one.kind === listed))) {
      const { data } = listing.parse(await vault.read(LISTS[kind]));
      for (const path of Object.keys(data)) found.add(keyOf({ kind, path: path.replace(/\/$/, '') }));
    }
    return found;
  } finally {
    vault.close();
  }
}

function openVault({ environment, state }: LoadedVaultEnvironment): VaultClient {
  const access = vaultAccess(environment, state, vaultVariables(process.env));
  return new VaultClient(access, readVaultToken(access.tokenFile).token);
}
