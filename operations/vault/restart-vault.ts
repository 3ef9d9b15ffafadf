import type Docker from 'dockerode';
import path from 'node:path';
import type { EmbeddedVault } from '../../config/environment';
import type { LoadedEnvironment } from '../state/load';
import { type Node, nodesOf, vaultNodes } from '../../config/node';
import { vaultNodeEndpoint } from '../../config/state/endpoints';
import { dockerEngine } from '../docker/docker';
import { ExternalError } from '../lib/errors';
import { shareFiles, shareKind } from '../state/notes/seal-note';
import { unsealVault, waitUntilActive, waitUntilAnswering } from './unseal-vault';
import { VaultClient } from './vault-client';
import { readSecret } from '../lib/secret';

/**
 * Restarts an embedded Vault, of several one after the other, and unseals it with the shares in the state folder, unless
 * a seal opens it.
 *
 * @throws ExternalError if they are too few: before Vault, which would stay sealed, is touched
 */
export async function restartVault(
  { environment, state }: Pick<LoadedEnvironment, 'environment' | 'state'>,
  settings: EmbeddedVault,
  engineOf: (node: Node) => Docker = ({ docker }) => dockerEngine(docker),
): Promise<void> {
  const opensItself = shareKind(state) === 'recovery';
  const shares = opensItself
    ? []
    : shareFiles(state, settings.shares)
        .map(readSecret)
        .filter((share) => share !== undefined);
  if (!opensItself && shares.length < settings.threshold) {
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
    if (!opensItself) await unsealVault(access, () => Promise.resolve(left.shift()));
    const vault = new VaultClient(access);
    try {
      await waitUntilAnswering(vault, access);
      await waitUntilActive(vault, node.host !== undefined);
    } finally {
      vault.close();
    }
  }
}
