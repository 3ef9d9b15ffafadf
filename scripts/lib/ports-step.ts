/** Whether the ports of an environment are free. */
import { ENVIRONMENT_LABEL } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { embeddedVault } from '../../config/vault/vault';
import type { LoadedEnvironment } from '../../operations/state/load';
import { dockerEngine } from '../../operations/docker/docker';
import { requireFreePorts, type WantedPort } from '../../operations/docker/ports-preflight';
import type { Step } from '../../operations/lib/step';
import { isLocalEngine } from './key-store-steps';
import { shortPath } from './short-path';

/** Asked before the long builds, so that a taken port is known at once. */
export function portsStep({ environment, file }: LoadedEnvironment): Step {
  return {
    title: 'Ports',
    run: async () => {
      const ports = wantedPorts(environment);
      await requireFreePorts({
        ports,
        owner: { name: ENVIRONMENT_LABEL, value: environment.name },
        docker: dockerEngine(environment.docker),
        local: isLocalEngine(environment.docker),
        settings: shortPath(file),
      });
      return ports.map(({ port }) => port).join(', ');
    },
  };
}

function wantedPorts(environment: Environment): WantedPort[] {
  const { docker, kes, minio } = environment;
  const vault = embeddedVault(environment);
  return [
    ...(vault === undefined
      ? []
      : [{ address: vault.publishAddress, port: vault.port, purpose: 'Vault API, vault.port' }]),
    { address: kes.publishAddress, port: kes.port, purpose: 'KES API, kes.port' },
    { address: docker.publishAddress, port: minio.port, purpose: 'S3 API, minio.port' },
  ];
}
