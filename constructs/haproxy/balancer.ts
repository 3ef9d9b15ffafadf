import { Construct } from 'constructs';
import { CLIENTS, VAULT_CLIENTS } from '../../config/deployment-names';
import { programPaths } from '../../config/docker/program-paths';
import { s3Publication } from '../../config/docker/reachable';
import {
  BALANCER_FILES,
  BALANCER_HEALTH,
  type BalancedServer,
  type BalancerConfiguration,
  balancerProblems,
  DEFAULT_BALANCER_MEMORY_MB,
  renderBalancer,
} from '../../config/haproxy/balancer-configuration';
import { type BalancerNode, type Node, type NodeServer, nodesOf, SERVERS, vaultNodes } from '../../config/node';
import type { CertificateFiles } from '../../config/operation-inputs';
import { vaultClientFiles } from '../../config/state/endpoints';
import { embeddedVault } from '../../config/vault/vault';
import { DeclarationError } from '../declaration-error';
import type { DeploymentBase } from '../deployment';
import { FileVolume, ServiceContainer } from '../docker';

/** A host of several. */
export type BalancedHost = Node & { readonly host: NonNullable<Node['host']>; readonly balancer: BalancerNode };

export interface BalancerProps {
  readonly deployment: DeploymentBase;
  readonly node: BalancedHost;
}

/**
 * The HAProxy of a host: clients find the S3 API there, MinIO the KES, and KES the active Vault, on whichever hosts these
 * are. HAProxy excludes a host that is away within two seconds.
 */
export class Balancer extends Construct {
  readonly container: ServiceContainer;

  constructor(scope: Construct, id: string, { deployment, node }: BalancerProps) {
    super(scope, id);
    const { environment, state } = deployment;
    const configuration = balancerConfiguration(deployment, node);
    const problems = balancerProblems(configuration);
    if (problems.length > 0) throw new DeclarationError(this, problems.join('; '));
    const { balancer, networks } = node;
    const image = deployment.image(this, 'haproxy');
    const files = new FileVolume(this, 'Files', {
      deployment,
      name: balancer.files,
      image,
      files: [
        { path: inVolume(BALANCER_FILES.configuration), content: renderBalancer(configuration) },
        { path: inVolume(BALANCER_FILES.ca), source: state.caCertificate },
        ...shown(BALANCER_FILES.kesClient, {
          certificate: `${state.tls}/${CLIENTS.health}.crt`,
          privateKey: `${state.secret.tls}/${CLIENTS.health}.key`,
        }),
        ...(configuration.vault === undefined
          ? []
          : shown(BALANCER_FILES.vaultClient, vaultClientFiles(state, VAULT_CLIENTS.balancer))),
      ],
    });
    // its name in each network is that of the service that it leads to: from that of MinIO there is no way to Vault
    const { kes, vault } = balancer.aliases;
    const more = configuration.vault === undefined ? [] : [{ network: networks.vault, alias: vault }];
    const s3 = s3Publication(environment, node);
    this.container = new ServiceContainer(this, 'Server', {
      deployment,
      name: balancer.container,
      image,
      command: [programPaths(environment).haproxy, '-db', '-f', BALANCER_FILES.configuration],
      networks: [
        deployment.reference(this, networks.storage),
        ...more.map(({ network }) => deployment.reference(this, network)),
      ],
      alias: [kes, ...more.map(({ alias }) => alias)],
      volumes: [{ name: files.name, path: FOLDER, readOnly: true }],
      ports: [{ container: SERVERS.minio.port, host: s3.port, address: s3.address }],
      healthCheck: { command: ['busybox', 'wget', '-q', '-O', '/dev/null', BALANCER_HEALTH] },
      memoryMb: environment.balancer?.memoryMb ?? DEFAULT_BALANCER_MEMORY_MB,
      // it takes no new connection then, and ends with the last or after 2 s; of SIGTERM it knows nothing as the first process
      stopSignal: 'SIGUSR1',
      stopSeconds: 5,
      readAtStart: Object.values(files.versions),
      dependsOn: [files.dependable],
    });
  }
}

/** To whom the balancer of a node leads: the programs of its own host first, where there is a choice to be made. */
function balancerConfiguration({ environment }: DeploymentBase, node: BalancedHost): BalancerConfiguration {
  const nodes = nodesOf(environment);
  const serverOf = ({ host }: Node, { alias, port }: NodeServer): BalancedServer => ({
    name: alias,
    address: host?.address ?? '',
    port,
  });
  const [first, ...others] = nodes;
  const { aliases } = node.balancer;
  const servers = (of: (one: Node) => NodeServer) =>
    [serverOf(first, of(first)), ...others.map((one) => serverOf(one, of(one)))] as const;
  const ownFirst = (all: readonly [BalancedServer, ...BalancedServer[]], own: NodeServer) =>
    [serverOf(node, own), ...all.filter(({ name }) => name !== own.alias)] as const;
  const [firstVault, ...otherVaults] = vaultNodes(nodes);
  return {
    s3: { bind: { port: SERVERS.minio.port }, servers: servers(({ minio }) => minio) },
    kes: {
      bind: { name: aliases.kes, port: node.kes.port },
      servers: ownFirst(
        servers(({ kes }) => kes),
        node.kes,
      ),
    },
    ...(embeddedVault(environment) === undefined
      ? {}
      : {
          vault: {
            bind: { name: aliases.vault, port: firstVault.vault.port },
            servers: [
              serverOf(firstVault, firstVault.vault),
              ...otherVaults.map((one) => serverOf(one, one.vault)),
            ] as const,
          },
        }),
  };
}

/** A certificate, and its key where HAProxy looks for it. */
const shown = (file: string, { certificate, privateKey }: CertificateFiles) => [
  { path: inVolume(file), source: certificate },
  { path: inVolume(`${file}.key`), source: privateKey },
];

const FOLDER = '/files';
const inVolume = (file: string): string => file.slice(FOLDER.length + 1);
