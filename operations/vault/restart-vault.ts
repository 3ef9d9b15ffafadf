import type Docker from 'dockerode';
import path from 'node:path';
import type { EmbeddedVault } from '../../config/environment';
import type { LoadedEnvironment } from '../state/load';
import { type Node, nodesOf, vaultNodes } from '../../config/node';
import { vaultNodeEndpoint } from '../../config/state/endpoints';
import { dockerEngine } from '../docker/docker';
import { ExternalError } from '../lib/errors';
import { unsealVault, waitUntilActive } from './unseal-vault';
import { VaultClient } from './vault-client';
import { readSecret } from '../lib/secret';

/**
 * Restarts an embedded Vault, of several one after the other, and unseals it with the shares in the state folder.
 *
 * @throws ExternalError if they are too few: before Vault, which would stay sealed, is touched
 */
export async function restartVault(
  { environment, state }: Pick<LoadedEnvironment, 'environment' | 'state'>,
  settings: EmbeddedVault,
  engineOf: (node: Node) => Docker = ({ docker }) => dockerEngine(docker),
): Promise<void> {
  const shares = Array.from({ length: settings.shares }, (_, index) =>
    readSecret(state.secret.unsealShare(index + 1)),
  ).filter((share) => share !== undefined);
  if (shares.length < settings.threshold) {
    throw new ExternalError(
      `Vault must be restarted, and ${shares.length} of the ${settings.threshold} unseal shares that it needs then are in ${path.dirname(state.secret.unsealShare(1))}`,
      'put the shares back for as long as this runs; nothing was changed',
    );
  }
  for (const node of vaultNodes(nodesOf(environment))) {
    const access = vaultNodeEndpoint(environment, settings, state, node);
    await engineOf(node).getContainer(node.vault.container).restart();
    const left = [...shares];
    // the unsealer may be at it, too: a share that is given twice counts once
    await unsealVault(access, () => Promise.resolve(left.shift()));
    const vault = new VaultClient(access);
    try {
      await waitUntilActive(vault, node.host !== undefined);
    } finally {
      vault.close();
    }
  }
}
