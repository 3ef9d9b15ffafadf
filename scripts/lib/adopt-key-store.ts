/** Tells Terraform about what a Vault already has, where its state was lost: it would try to make it a second time. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { vaultVariables } from '../../config/external-vault';
import { AUDIT_DEVICES, vaultAccess } from '../../config/key-store';
import type { LoadedEnvironment } from '../../config/load';
import { projectRoot } from '../../config/toolchain';
import { dockerEngine } from '../../operations/docker';
import { ExternalError } from '../../operations/errors';
import { UnreadableStateError } from '../../operations/remote-state';
import { restartVault } from '../../operations/restart-vault';
import { deployedPaths } from '../../operations/terraform-state';
import { CommandError, run } from '../../operations/toolchain/command';
import type { Step } from '../../operations/toolchain/step';
import { VaultClient } from '../../operations/vault-client';
import { howToUnlock } from './state-lock';

/** What cannot be made where it exists, and the list in which Vault says that it does. Their import id is their path. */
const LISTS = { vault_mount: 'sys/mounts', vault_auth_backend: 'sys/auth', vault_audit: 'sys/audit' } as const;
type Kind = keyof typeof LISTS;
const KINDS = Object.keys(LISTS) as Kind[];

/** How many of each are declared in an embedded Vault. */
const DECLARED: Readonly<Record<Kind, number>> = {
  vault_mount: 1,
  vault_auth_backend: 1,
  vault_audit: AUDIT_DEVICES.length,
};

const resources = z.record(z.string(), z.object({ path: z.string() }));
const synthesized = z.object({ resource: z.object({}).catchall(z.unknown()) });
const listing = z.object({ data: z.record(z.string(), z.unknown()) });

/**
 * Imports mounts and audit devices of the embedded Vault that are missing in the state of the `keystore` stack. The stacks
 * must have been synthesized, and Vault must be unsealed: `foundation` and `vault` were deployed just before.
 *
 * A Vault that lacks an audit device is restarted first: it may have it by half. Where the client goes away while a device
 * is enabled, Vault (1.21, vault/audit.go, enableAudit) has registered it and does not list it; until a restart it can
 * neither be made, "backend already registered", nor removed.
 */
export function adoptKeyStoreStep(loaded: LoadedEnvironment): Step {
  return {
    title: 'Key store that is there',
    run: async ({ report, signal }) => {
      const { environment, state } = loaded;
      const folder = path.join(state.cdktfOut, 'stacks', `${environment.name}-keystore`);
      const declared = declaredIn(folder);
      let present = await presentInVault(loaded);
      if (declared.some((one) => one.kind === 'vault_audit' && !present.has(keyOf(one)))) {
        report('restarting Vault, which may have half an audit device');
        await restartVault(loaded, dockerEngine(environment.docker.host));
        present = await presentInVault(loaded);
      }
      const known = await deployedPaths(loaded, 'keystore');
      const missing = declared.filter((one) => present.has(keyOf(one)) && !known.has(keyOf(one)));
      if (missing.length === 0) return 'Terraform knows all of it';
      const terraform = path.join(projectRoot, 'node_modules', '.bin', 'terraform');
      const options = { cwd: folder, logFile: path.join(state.logs, 'adopt.log'), signal };
      try {
        await run(terraform, ['init', '-input=false', '-no-color'], options);
        for (const { address, path: id } of missing) {
          report(address);
          await run(terraform, ['import', '-input=false', '-no-color', address, id], options);
        }
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        throw new ExternalError(
          `Terraform cannot take over what Vault has: ${error.describe()}`,
          howToUnlock(environment, error.tail) ??
            'mend what it names, and run this again; what was taken over stays so',
          { cause: error },
        );
      }
      return `${missing.length} adopted`;
    },
  };
}

/**
 * Whether an embedded Vault may have mounts that the state of the `keystore` stack does not know: it has been
 * initialised, and not all that is declared in it is in the state.
 */
export async function mayNeedAdoption(loaded: LoadedEnvironment): Promise<boolean> {
  const { environment, state } = loaded;
  if (environment.vault.mode !== 'embedded' || !existsSync(state.secret.provisionerToken)) return false;
  let made: Set<string>;
  try {
    made = await deployedPaths(loaded, 'keystore');
  } catch (error) {
    // the step that looks for what a killed deploy has left says so
    if (error instanceof UnreadableStateError) return false;
    throw error;
  }
  const types = [...made].map((one) => one.split(' ')[0]);
  return KINDS.some((kind) => types.filter((type) => type === kind).length < DECLARED[kind]);
}

/** One that is declared. */
interface Declared {
  readonly kind: Kind;
  readonly address: string;
  readonly path: string;
}

function declaredIn(folder: string): Declared[] {
  const { resource } = synthesized.parse(JSON.parse(readFileSync(path.join(folder, 'cdk.tf.json'), 'utf8')));
  return KINDS.flatMap((kind) =>
    Object.entries(resources.parse(resource[kind] ?? {})).map(([name, { path }]) => ({
      kind,
      address: `${kind}.${name}`,
      path,
    })),
  );
}

/** As {@link deployedPaths} has it. */
function keyOf({ kind, path }: Pick<Declared, 'kind' | 'path'>): string {
  return `${kind} ${path}`;
}

/** What Vault says that it has. */
async function presentInVault(loaded: LoadedEnvironment): Promise<Set<string>> {
  const vault = openVault(loaded);
  try {
    const found = new Set<string>();
    for (const kind of KINDS) {
      const { data } = listing.parse(await vault.read(LISTS[kind]));
      for (const path of Object.keys(data)) found.add(keyOf({ kind, path: path.replace(/\/$/, '') }));
    }
    return found;
  } finally {
    vault.close();
  }
}

function openVault({ environment, state }: LoadedEnvironment): VaultClient {
  const token = readFileSync(state.secret.provisionerToken, 'utf8').trim();
  return new VaultClient(vaultAccess(environment, state, vaultVariables(process.env)), token);
}
