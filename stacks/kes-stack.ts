import type { Construct } from 'constructs';
import { clientLeaf, CLIENTS } from '../config/deployment-names';
import { masterKeys } from '../config/keys/master-keys';
import { networksOfService } from '../config/docker/networks';
import { programPaths } from '../config/docker/program-paths';
import { imageReference } from '../constructs/docker';
import { KesServer } from '../constructs/kes/kes-server';
import { MasterKeys, type MasterKeysProps } from '../constructs/kes/master-keys';
import type { Certificates } from '../constructs/tls/certificates';
import { type Deployment, imageSource } from './deployment';
import { EnvironmentStack } from './environment-stack';
import type { KeystoreStack } from './keystore-stack';

/** KES, and the master keys: created once, proven each time. */
export class KesStack extends EnvironmentStack {
  readonly server: KesServer;
  readonly keys: MasterKeys;

  constructor(
    scope: Construct,
    deployment: Deployment,
    certificates: Certificates,
    forKeyStore: KeystoreStack['forKes'],
  ) {
    super(scope, 'kes', deployment);
    this.useDocker();
    const { environment, state, runner } = deployment;
    this.server = new KesServer(this, 'Kes', {
      runner,
      environment: environment.name,
      node: this.host.kes,
      image: imageReference(imageSource(deployment, 'kes')),
      program: programPaths(environment).kes,
      networks: networksOfService(environment, 'kes'),
      publish: { address: environment.kes.publishAddress, port: environment.kes.port },
      configurationFile: state.secret.kesConfiguration,
      ca: certificates.ca,
      ...forKeyStore,
      ...(environment.trustedCAs.length === 0 ? {} : { trustedCAs: state.trustedCAs }),
      certificate: certificates.leaf(this.host.kes.certificate),
      healthClient: certificates.leaf(CLIENTS.health),
      memoryMb: environment.kes.memoryMb,
      processLimit: environment.docker.processLimit,
    });
    const as = (leaf: string) => ({
      ...this.server.endpoint,
      certificateFile: certificates.leaf(leaf).certificate,
      privateKeyFile: certificates.leaf(leaf).privateKey,
    });
    this.keys = new MasterKeys(this, 'MasterKeys', {
      runner,
      keys: masterKeys(environment),
      clients: Object.fromEntries(
        environment.kes.clients.flatMap(({ name, keys }) => keys.map((key) => [key, clientLeaf(name)])),
      ),
      creator: as(CLIENTS.keyCreator),
      prover: as(CLIENTS.keyProver),
      canariesFile: state.canaries,
      ...this.dataOf(deployment),
      triggers: { container: this.server.container.containerId, reload: this.server.runId },
      dependsOn: [this.server.dependable],
    });
  }

  /** One volume is told as it always was, so that deployments go on without a change. */
  private dataOf({ environment, state }: Deployment): Pick<MasterKeysProps, 'dataVolume' | 'drives'> {
    const { drives } = this.host.minio;
    const [{ kind, source }] = drives;
    if (drives.length === 1 && kind === 'volume') return { dataVolume: source };
    const declared = environment.minio.drives;
    const adopted = (index: number): boolean => {
      const drive = typeof declared === 'number' ? undefined : declared[index];
      return typeof drive === 'object' && drive.adopt;
    };
    return {
      drives: {
        note: state.drives,
        of: drives.map((drive, index) => ({
          kind: drive.kind,
          source: drive.source,
          ...(adopted(index) ? { adopted: true } : {}),
        })),
      },
    };
  }
}
