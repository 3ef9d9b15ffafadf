/** What `./scripts/down` leaves, and where. */
import { existsSync } from 'node:fs';
import { vaultNames } from '../../../config/deployment-names';
import type { Environment } from '../../../config/environment';
import { drivesText, nodesOf } from '../../../config/node';
import { setAsideFolders } from '../../../operations/docker/tear-down';
import type { LoadedEnvironment } from '../../../operations/state/load';

export function whatIsLeft(loaded: LoadedEnvironment, dataVolumes: readonly string[], deleteData: boolean): string {
  const { environment, state } = loaded;
  if (deleteData) {
    const folders = [state.root, ...setAsideFolders(state)]
      .filter((folder) => existsSync(folder))
      .map((folder) => `\n${folder} holds files that are not of this project and stays.\n`);
    return `Environment ${environment.name} is gone.\n${folders.join('')}${leftElsewhere(loaded)}`;
  }
  return [
    `Environment ${environment.name} is down.`,
    '',
    `  data volumes  ${dataVolumes.length === 0 ? 'none' : dataVolumes.join(', ')}`,
    ...(foldersOf(environment).length === 0 ? [] : [`  drives        ${foldersOf(environment).join(', ')}`]),
    `  state         ${existsSync(state.root) ? state.root : 'none'}`,
    '',
    `./scripts/up ${loaded.argument} brings it back; ./scripts/down ${loaded.argument} --delete-data deletes the rest.`,
    '',
  ].join('\n');
}

/** What is in a place that others use, too, or on the user's disks, is never ours to delete. */
function leftElsewhere({ environment }: LoadedEnvironment): string {
  return leftOnDisks(environment) + leftInKeyStore(environment);
}

function leftOnDisks(environment: Environment): string {
  const { drives } = nodesOf(environment)[0].minio;
  const folders = foldersOf(environment);
  if (folders.length === 0) return '';
  return `
Left on the Docker host${environment.hosts === undefined ? '' : 's'}: the ${drivesText(drives)}, with objects that cannot be decrypted without the keys.
They are your disks, and nothing is deleted there. This empties them for another deployment:
  find ${folders.join(' ')} -mindepth 1 -delete
`;
}

const foldersOf = (environment: Environment): string[] =>
  nodesOf(environment)[0].minio.drives.flatMap(({ kind, source }) => (kind === 'folder' ? [source] : []));

function leftInKeyStore(environment: Environment): string {
  const { keyStore } = environment;
  if (keyStore.type === 'filesystem' && keyStore.path !== undefined) {
    return `\nLeft on the Docker host: the master keys in ${keyStore.path}.\n`;
  }
  if (keyStore.type !== 'vault' || keyStore.vault.mode !== 'external') return '';
  const { kesPolicy, kesRole } = vaultNames(environment);
  const { prefix } = keyStore;
  const address = keyStore.vault.address ?? process.env.VAULT_ADDR ?? 'the external Vault';
  return `
Left in Vault at ${address}: the mount ${keyStore.mount} with the master keys under ${prefix}/, the role and the
policy of KES. Without what they encrypted they are of no use; whoever runs that Vault removes them with:
  vault delete auth/${keyStore.approle.mount}/role/${kesRole}
  vault policy delete ${kesPolicy}
${
  keyStore.existingMount
    ? `  vault kv ${keyStore.kvVersion === 2 ? 'metadata ' : ''}delete -mount=${keyStore.mount} ${prefix}/KEY    (for each)`
    : `  vault secrets disable ${keyStore.mount}    (every key in it; other environments may share it)`
}
`;
}
