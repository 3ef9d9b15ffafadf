/** Tells Terraform about what a Vault already has, where its state was lost: it would try to make it a second time. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { reachableAddress } from '../../config/reachable';
import { AUDIT_DEVICES } from '../../config/key-store';
import type { LoadedEnvironment } from '../../config/load';
import type { StateLayout } from '../../config/state';
import { projectRoot } from '../../config/toolchain';
import { readLocalState } from '../../operations/terraform-state';
import { run } from '../../operations/toolchain/command';
import type { Step } from '../../operations/toolchain/step';
import { VaultClient } from '../../operations/vault-client';

/** What cannot be made where it exists, and the list in which Vault says that it does. Their import id is their path. */
const LISTS = { vault_mount: 'sys/mounts', vault_auth_backend: 'sys/auth', vault_audit: 'sys/audit' } as const;
type Kind = keyof typeof LISTS;

/** How many of each are declared in an embedded Vault. */
const DECLARED: Readonly<Record<Kind, number>> = {
  vault_mount: 1,
  vault_auth_backend: 1,
  vault_audit: AUDIT_DEVICES.length,
};

const resources = z.record(z.string(), z.object({ path: z.string() }));
const synthesized = z.object({ resource: z.object({}).catchall(z.unknown()) });
const stateFile = z.object({
  resources: z.array(z.object({ type: z.string(), name: z.string(), instances: z.array(z.unknown()) })).default([]),
});
const listing = z.object({ data: z.record(z.string(), z.unknown()) });

/**
 * Imports mounts and audit devices of the embedded Vault that are missing in the state of the `keystore` stack. The stacks
 * must have been synthesized, and Vault must be unsealed: `foundation` and `vault` were deployed just before.
 */
export function adoptKeyStoreStep(loaded: LoadedEnvironment): Step {
  return {
    title: 'Key store that is there',
    run: async ({ report, signal }) => {
      const { environment, state } = loaded;
      const folder = path.join(state.cdktfOut, 'stacks', `${environment.name}-keystore`);
      const missing = await missingInState(loaded, folder);
      if (missing.length === 0) return 'Terraform knows all of it';
      const terraform = path.join(projectRoot, 'node_modules', '.bin', 'terraform');
      const options = { cwd: folder, logFile: path.join(state.logs, 'adopt.log'), signal };
      await run(terraform, ['init', '-input=false', '-no-color'], options);
      for (const { address, id } of missing) {
        report(address);
        await run(terraform, ['import', '-input=false', '-no-color', address, id], options);
      }
      return `${missing.length} adopted`;
    },
  };
}

/**
 * Whether an embedded Vault may have mounts that the state of the `keystore` stack does not know: it has been
 * initialised, and not all that is declared in it is in the state.
 */
export function mayNeedAdoption({ environment, state }: LoadedEnvironment): boolean {
  if (environment.vault.mode !== 'embedded' || environment.state.backend !== 'local') return false;
  if (!existsSync(state.secret.provisionerToken)) return false;
  const types = [...knownTo(keyStoreState(state))].map((address) => address.split('.')[0]);
  return (Object.keys(LISTS) as Kind[]).some((kind) => types.filter((type) => type === kind).length < DECLARED[kind]);
}

async function missingInState(
  loaded: LoadedEnvironment,
  folder: string,
): Promise<{ readonly address: string; readonly id: string }[]> {
  const { resource } = synthesized.parse(JSON.parse(readFileSync(path.join(folder, 'cdk.tf.json'), 'utf8')));
  const known = knownTo(keyStoreState(loaded.state));
  const found: { address: string; id: string }[] = [];
  const vault = openVault(loaded);
  try {
    for (const kind of Object.keys(LISTS) as Kind[]) {
      const present = Object.keys(listing.parse(await vault.read(LISTS[kind])).data);
      for (const [name, declared] of Object.entries(resources.parse(resource[kind] ?? {}))) {
        if (known.has(`${kind}.${name}`) || !present.includes(`${declared.path}/`)) continue;
        found.push({ address: `${kind}.${name}`, id: declared.path });
      }
    }
  } finally {
    vault.close();
  }
  return found;
}

function keyStoreState({ terraform }: StateLayout): string {
  return path.join(terraform, 'keystore.tfstate');
}

function knownTo(file: string): Set<string> {
  const parsed = stateFile.parse(readLocalState(file) ?? {});
  // Terraform names a resource, without an instance, as soon as it begins to make it
  const made = parsed.resources.filter(({ instances }) => instances.length > 0);
  return new Set(made.map(({ type, name }) => `${type}.${name}`));
}

function openVault({ environment, state }: LoadedEnvironment): VaultClient {
  if (environment.vault.mode !== 'embedded') throw new Error('only an embedded Vault is ours to adopt');
  const url = `https://${reachableAddress(environment)}:${environment.vault.port}`;
  const token = readFileSync(state.secret.provisionerToken, 'utf8').trim();
  return new VaultClient({ url, caFile: state.caCertificate }, token);
}
