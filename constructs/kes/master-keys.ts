import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { clientLeaf, CLIENTS } from '../../config/deployment-names';
import { masterKeys } from '../../config/keys/master-keys';
import { type MinioKms, minioKms } from '../../config/minio/minio-variables';
import type { CertificateFiles } from '../../config/operation-inputs';
import type { DeploymentBase } from '../deployment';
import { Operation } from '../operation';
import type { KesServer } from './kes-server';

export interface MasterKeysProps {
  readonly deployment: DeploymentBase;
  readonly kes: KesServer;
}

/** KES with its keys, as a server uses it that encrypts under them. */
export interface Kms extends MinioKms {
  readonly client: CertificateFiles;
  /** The keys, without which it must not start. */
  readonly keys: MasterKeys;
}

/**
 * The master keys: each created once and proven since by its canary. A key that is missing or that has become another
 * one stops the deploy.
 */
export class MasterKeys extends Construct {
  private readonly operation: Operation<'create-master-keys'>;
  private readonly props: MasterKeysProps;

  constructor(scope: Construct, id: string, props: MasterKeysProps) {
    super(scope, id);
    this.props = props;
    const { deployment, kes } = props;
    const { environment, state } = deployment;
    this.operation = new Operation(this, 'Create', {
      runner: deployment.runner,
      operation: 'create-master-keys',
      input: {
        creator: kes.as(CLIENTS.keyCreator),
        prover: kes.as(CLIENTS.keyProver),
        keys: masterKeys(environment),
        clients: Object.fromEntries(
          environment.kes.clients.flatMap(({ name, keys }) => keys.map((key) => [key, clientLeaf(name)])),
        ),
        canariesFile: state.canaries,
        // holds what is encrypted under the keys
        dataVolume: deployment.node.minio.drives[0].source,
      },
      triggers: { container: kes.container.containerId, reload: kes.runId },
      dependsOn: [kes.dependable],
    });
  }

  /** KES with these keys, as a server uses it that encrypts under them. */
  asKmsFor(client: typeof CLIENTS.minio): Kms {
    const { deployment, kes } = this.props;
    return { ...minioKms(deployment.environment), client: kes.issuer.leaf(client), keys: this };
  }

  /** For the `dependsOn` of what must not start before the keys are proven. */
  get dependable(): ITerraformDependable {
    return this.operation.dependable;
  }

  /** Changes each time the keys were proven. */
  get runId(): string {
    return this.operation.runId;
  }
}
