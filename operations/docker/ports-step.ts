/** Whether the ports of an environment are free. */
import { ENVIRONMENT_LABEL } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { type Node, VAULT_CLUSTER_PORT } from '../../config/node';
import { kesPublication, minioPublication, s3Publication, vaultPublication } from '../../config/docker/reachable';
import { embeddedVault } from '../../config/vault/vault';
import type { LoadedEnvironment } from '../state/load';
import { onEachNode } from './hosts/each-node';
import { HostsHere } from './hosts/hosts-here';
import { requireFreePorts, type WantedPort } from './ports-preflight';
import type { Step } from '../lib/step';
import { isLocalEngine } from '../keys/key-store-steps';
import { shortPath } from '../lib/text/short-path';

/** Asked before the long builds, so that a taken port is known at once. */
export function portsStep({ environment, file }: LoadedEnvironment, hosts = new HostsHere()): Step {
  return {
    title: 'Ports',
    run: async () => {
      const ports = await onEachNode(hosts.here(environment), async (node, docker) => {
        const wanted = wantedPorts(environment, node);
        await requireFreePorts({
          ports: wanted,
          owner: { name: ENVIRONMENT_LABEL, value: environment.name },
          docker,
          local: isLocalEngine(node.docker),
          settings: shortPath(file),
        });
        return wanted.map(({ port }) => port);
      });
      return [...new Set(ports.flat())].join(', ');
    },
  };
}

function wantedPorts(environment: Environment, node: Node): WantedPort[] {
  const vault = node.vault === undefined ? undefined : embeddedVault(environment);
  const several = node.host !== undefined;
  return [
    ...(vault === undefined
      ? []
      : [
          { ...vaultPublication(vault, node), purpose: 'Vault API, vault.port' },
          ...(several
            ? [{ address: node.host.address, port: VAULT_CLUSTER_PORT, purpose: 'Vault, from host to host' }]
            : []),
        ]),
    { ...kesPublication(environment, node), purpose: 'KES API, kes.port' },
    ...(several
      ? [{ ...minioPublication(environment, node), purpose: 'MinIO, from host to host, minio.nodePort' }]
      : []),
    { ...s3Publication(environment, node), purpose: 'S3 API, minio.port' },
  ];
}
