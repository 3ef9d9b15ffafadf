import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { bucketName } from '../../config/names';
import type { OperationInput, TlsEndpoint } from '../../config/operation-inputs';
import { DeclarationError } from '../declaration-error';
import { Operation, type OperationRunner } from '../operation';

export interface BucketsProps {
  readonly runner: OperationRunner;
  readonly endpoint: TlsEndpoint;
  readonly region: string;
  /** File with MinIO's root credentials. */
  readonly rootFile: string;
  readonly buckets: OperationInput<'provision-buckets'>['buckets'];
  /**
   * Whether MinIO's IAM holds a policy that denies SSE-C to whom it is attached.
   *
   * @default false
   */
  readonly denySseC?: boolean;
  /** Values that make the buckets be looked at again. */
  readonly triggers: Readonly<Record<string, string>>;
  readonly dependsOn: readonly ITerraformDependable[];
}

/**
 * Buckets, each with its default encryption. A bucket that is no longer declared stays: nothing here deletes data.
 */
export class Buckets extends Construct {
  private readonly operation: Operation<'provision-buckets'>;

  constructor(scope: Construct, id: string, props: BucketsProps) {
    super(scope, id);
    props.buckets.forEach(({ name, objectLock, versioning }, index) => {
      if (!bucketName.test(name)) {
        throw new DeclarationError(this, `\`buckets[${index}].name\` ${bucketName.rule}, got: ${name}`);
      }
      if (objectLock && !versioning) {
        throw new DeclarationError(this, `\`buckets[${index}].objectLock\` needs versioning, got: versioning off`);
      }
    });
    this.operation = new Operation(this, 'Provision', {
      runner: props.runner,
      operation: 'provision-buckets',
      input: {
        endpoint: props.endpoint,
        region: props.region,
        rootFile: props.rootFile,
        buckets: props.buckets,
        denySseC: props.denySseC ?? false,
      },
      triggers: props.triggers,
      dependsOn: props.dependsOn,
    });
  }

  /** Changes each time the buckets were provisioned. */
  get runId(): string {
    return this.operation.runId;
  }
}
