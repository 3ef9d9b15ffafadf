import { type ITerraformDependable, TerraformStack } from 'cdktf';
import { Construct } from 'constructs';
import { s3Endpoint } from '../../config/state/endpoints';
import { AUDIT_QUEUE_FOLDER, EVENT_QUEUE_FOLDER } from '../../config/minio/minio-variables';
import { identityInput, metricsReaderFiles, ownPoliciesHash } from '../../config/minio/own-identities';
import type { DeploymentBase } from '../deployment';
import { fileHash } from '../expressions';
import { Operation } from '../operation';
import type { MinioServer } from './minio-server';

export interface BucketsProps {
  readonly deployment: DeploymentBase;
  readonly minio: MinioServer;
  /** The MinIO of other hosts, which serve the same buckets. @default - there is one */
  readonly replicas?: readonly MinioServer[];
}

/**
 * Buckets, each with its default encryption, the policy that denies SSE-C where that is denied, the user that reads metrics
 * where somebody does, and the users by which the project acts. A bucket that is no longer declared stays: nothing here
 * deletes data.
 */
export class Buckets extends Construct {
  private readonly operation: Operation<'provision-buckets'>;

  constructor(scope: Construct, id: string, { deployment, minio, replicas = [] }: BucketsProps) {
    super(scope, id);
    const { environment, runner, state } = deployment;
    const metrics = metricsReaderFiles(environment, state);
    const { audit, webhooks } = environment.minio;
    const endpoint = s3Endpoint(environment, state);
    const { region } = environment.minio;
    const identityInputs = identityInput(environment, state);
    const identities = new Operation(this, 'Identities', {
      runner,
      operation: 'provision-identities',
      input: identityInputs,
      renewal: { note: identityInputs.renewalNote, makes: Object.values(identityInputs.files) },
      triggers: {
        container: minio.container.containerId,
        ...Object.fromEntries(
          replicas.map(({ container }, index) => [`container ${index + 2}`, container.containerId]),
        ),
        policies: ownPoliciesHash(),
      },
      dependsOn: TerraformStack.of(minio) === TerraformStack.of(this) ? [minio.dependable] : [],
    });
    this.operation = new Operation(this, 'Provision', {
      runner,
      operation: 'provision-buckets',
      input: {
        endpoint,
        region,
        operationsFile: state.secret.minioOperations,
        iamFile: state.secret.minioIam,
        buckets: environment.buckets,
        denySseC: environment.minio.sseC === 'deny',
        ...(audit === undefined ? {} : { audit: { ...audit, queueFolder: AUDIT_QUEUE_FOLDER } }),
        // also where none is declared: one that was is taken away
        ...(environment.hosts === undefined
          ? {
              webhooks: {
                container: deployment.node.minio.container,
                queueFolder: EVENT_QUEUE_FOLDER,
                declared: webhooks,
              },
            }
          : {}),
        ...(metrics === undefined ? {} : { metrics }),
      },
      ...(metrics === undefined
        ? {}
        : { renewal: { note: metrics.renewalNote, makes: [metrics.userFile, metrics.tokenFile] } }),
      triggers: {
        identities: identities.runId,
        ...(audit?.tokenFile === undefined ? {} : { 'audit token': fileHash(audit.tokenFile) }),
        ...Object.fromEntries(
          webhooks.flatMap(({ name, tokenFile }) =>
            tokenFile === undefined ? [] : [[`token of webhook ${name}`, fileHash(tokenFile)]],
          ),
        ),
      },
      dependsOn: [identities.dependable],
    });
  }

  /** Changes each time the buckets were provisioned. */
  get runId(): string {
    return this.operation.runId;
  }

  /** For the `dependsOn` of what needs the buckets, or a MinIO that serves. */
  get dependable(): ITerraformDependable {
    return this.operation.dependable;
  }
}
