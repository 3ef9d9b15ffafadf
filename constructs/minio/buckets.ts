import { Construct } from 'constructs';
import type { DeploymentBase } from '../deployment';
import { Operation } from '../operation';
import type { MinioServer } from './minio-server';

export interface BucketsProps {
  readonly deployment: DeploymentBase;
  readonly minio: MinioServer;
}

/**
 * Buckets, each with its default encryption, and the policy that denies SSE-C where that is denied. A bucket that is no
 * longer declared stays: nothing here deletes data.
 */
export class Buckets extends Construct {
  private readonly operation: Operation<'provision-buckets'>;

  constructor(scope: Construct, id: string, { deployment, minio }: BucketsProps) {
    super(scope, id);
    const { environment, runner, state } = deployment;
    this.operation = new Operation(this, 'Provision', {
      runner,
      operation: 'provision-buckets',
      input: {
        endpoint: minio.endpoint,
        region: environment.minio.region,
        rootFile: state.secret.minioRoot,
        buckets: environment.buckets,
        denySseC: environment.minio.sseC === 'deny',
      },
      triggers: { container: minio.container.containerId },
      dependsOn: [minio.dependable],
    });
  }

  /** Changes each time the buckets were provisioned. */
  get runId(): string {
    return this.operation.runId;
  }
}
