import { describeEngine, type EngineAddress, remoteMachine } from '../../../config/docker/docker-engine';
import type { Environment } from '../../../config/environment';
import { embeddedVault } from '../../../config/vault/vault';
import { isLoopback, meansEveryAddress } from '../../../config/docker/reachable';
import { UsageError } from '../../lib/errors';

/**
 * Refuses to publish ports where the machine that deploys would look for them on itself: it asks Vault, KES and MinIO by
 * the address on which they are published, and that of loopback or of every address is the Docker host's own.
 *
 * @throws UsageError
 */
export function requireReachablePorts(environment: Environment, engine: EngineAddress): void {
  const machine = remoteMachine(engine);
  if (machine === undefined) return;
  const wrong = publications(environment).filter(({ address }) => isLoopback(address) || meansEveryAddress(address));
  if (wrong.length === 0) return;
  const settings = wrong.map(({ setting }) => setting).join(', ');
  const lines = wrong.map(({ setting }) => `${setting.replace('.', ': {')}: 192.0.2.10}`).join(', ');
  throw new UsageError(
    `${settings}: must be an address of ${machine} by which this machine reaches it, because the Docker engine is there (${describeEngine(engine)}), got: ${wrong.map(({ address }) => address).join(', ')}`,
    `write for example ${lines}, and let a firewall say who else reaches it; nothing was changed`,
  );
}

function publications(environment: Environment): { readonly setting: string; readonly address: string }[] {
  const { docker, kes } = environment;
  const vault = embeddedVault(environment);
  return [
    { setting: 'docker.publishAddress', address: docker.publishAddress },
    { setting: 'kes.publishAddress', address: kes.publishAddress },
    ...(vault === undefined ? [] : [{ setting: 'vault.publishAddress', address: vault.publishAddress }]),
  ];
}
