import { Construct } from 'constructs';
import { declaredClients, policiesHash } from '../../config/minio/client-policies';
import { s3Endpoint } from '../../config/state/endpoints';
import { clientFile } from '../../config/state/layout';
import type { DeploymentBase } from '../deployment';
import { Operation } from '../operation';
import type { Buckets } from './buckets';

export interface ClientsProps {
  readonly deployment: DeploymentBase;
  readonly buckets: Buckets;
}

/**
 * Clients of the S3 API, each with a user, a policy and an access key of its own. A client that is no longer declared
 * loses its access.
 */
export class Clients extends Construct {
  private readonly operation: Operation<'provision-clients'>;

  constructor(scope: Construct, id: string, { deployment, buckets }: ClientsProps) {
    super(scope, id);
    const { environment, runner, state } = deployment;
    const clients = declaredClients(environment);
    const denySseC = environment.minio.sseC === 'deny';
    this.operation = new Operation(this, 'Provision', {
      runner,
      operation: 'provision-clients',
      input: {
        endpoint: s3Endpoint(environment, state),
        region: environment.minio.region,
        iamFile: state.secret.minioIam,
        clients,
        denySseC,
        folder: state.secret.clients,
        renewalNote: state.clientsNote,
      },
      triggers: { buckets: buckets.runId, policies: policiesHash(clients, { denySseC }) },
      renewal: { note: state.clientsNote, makes: clients.map(({ name }) => clientFile(state.secret.clients, name)) },
      dependsOn: [buckets.dependable],
    });
  }

  /** Changes each time the clients were provisioned. */
  get runId(): string {
    return this.operation.runId;
  }
}
