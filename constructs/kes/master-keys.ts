import { engineOf } from '../../config/node';
import { type ITerraformDependable, TerraformStack } from 'cdktf';
import { Construct } from 'constructs';
import { clientLeaf, CLIENTS } from '../../config/deployment-names';
import { masterKeys } from '../../config/keys/master-keys';
import { type MinioKms, minioKms } from '../../config/minio/minio-variables';
import type { CertificateFiles, OperationInput } from '../../config/operation-inputs';
import { kesEndpoint } from '../../config/state/endpoints';
import type { DeploymentBase } from '../deployment';
import { Operation } from '../operation';
import type { KesServer } from './kes-server';

export interface MasterKeysProps {
  readonly deployment: DeploymentBase;
  readonly kes: KesServer;
  /** The KES of other hosts, which serve the same keys. @default - there is one */
  readonly replicas?: readonly KesServer[];
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
    const { deployment, kes, replicas = [] } = props;
    const { environment, state } = deployment;
    // whichever answers
    const as = (client: string) => ({ ...kes.as(client), ...kesEndpoint(environment, state) });
    this.operation = new Operation(this, 'Create', {
      runner: deployment.runner,
      operation: 'create-master-keys',
      input: {
        creator: as(CLIENTS.keyCreator),
        prover: as(CLIENTS.keyProver),
        keys: masterKeys(environment),
        clients: Object.fromEntries(
          environment.kes.clients.flatMap(({ name, keys }) => keys.map((key) => [key, clientLeaf(name)])),
        ),
        canariesFile: state.canaries,
        ...dataOf(deployment),
      },
      triggers: {
        container: kes.container.containerId,
        reload: kes.runId,
        ...Object.fromEntries(
          replicas.flatMap(({ container, runId }, index) => [
            [`container ${index + 2}`, container.containerId],
            [`reload ${index + 2}`, runId],
          ]),
        ),
      },
      dependsOn: TerraformStack.of(kes) === TerraformStack.of(this) ? [kes.dependable] : [],
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

/** What holds what is encrypted under the keys. One volume is told as it always was, so that deployments go on. */
function dataOf({
  environment,
  node,
  state,
  nodes,
}: DeploymentBase): Pick<OperationInput<'create-master-keys'>, 'dataVolume' | 'drives' | 'engines'> {
  const { drives } = node.minio;
  const engines = node.host === undefined ? {} : { engines: nodes.map(engineOf) };
  const [{ kind, source }] = drives;
  if (drives.length === 1 && kind === 'volume') return { dataVolume: source, ...engines };
  const declared = environment.minio.drives;
  const adopted = (index: number): boolean => {
    const drive = typeof declared === 'number' ? undefined : declared[index];
    return typeof drive === 'object' && drive.adopt;
  };
  return {
    ...engines,
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
