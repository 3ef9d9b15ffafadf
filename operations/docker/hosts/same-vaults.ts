import { existsSync } from 'node:fs';
import { nodesOf, vaultNodes } from '../../../config/node';
import { embeddedVault } from '../../../config/vault/vault';
import { UsageError } from '../../lib/errors';
import type { LoadedEnvironment } from '../../state/load';
import { readKeyStoreNote } from '../../state/notes/key-store-note';
import { managedResources } from '../../terraform/terraform-state';

/**
 * For a deploy on several hosts: Raft knows its members, so that a Vault neither moves to another host nor gets company.
 * Where they are is known by what Terraform made on each host.
 *
 * @throws UsageError if the Vaults were deployed on other hosts than are declared
 */
export async function requireSameVaults(loaded: LoadedEnvironment): Promise<void> {
  const { environment, state } = loaded;
  if (environment.hosts === undefined || embeddedVault(environment) === undefined) return;
  const declared = vaultNodes(nodesOf(environment)).flatMap(({ host }) => host?.name ?? []);
  const deployed: string[] = [];
  for (const { name } of environment.hosts) {
    const made = (await managedResources(loaded, `vault-${name}`)) ?? [];
    if (made.some(({ type }) => type === 'docker_container')) deployed.push(name);
  }
  const left = deployed.some((name) => !declared.includes(name));
  // a first deploy, or a migration to Vault, may have come to some of them
  const isWhole = existsSync(state.canaries) && readKeyStoreNote(state)?.migration === undefined;
  const joined = isWhole && deployed.length > 0 && deployed.length < declared.length;
  if (!left && !joined) return;
  throw new UsageError(
    `vault.hosts: the Vaults of environment ${environment.name} are on ${deployed.join(', ')}, and cannot change their hosts, got: ${declared.join(', ')}`,
    'put the old setting back; a host is replaced by another machine under its name. Nothing was changed',
  );
}
