import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { kesName } from '../../config/names';
import type { MutualTlsEndpoint, OperationInput } from '../../config/operation-inputs';
import { DeclarationError } from '../declaration-error';
import { Operation, type OperationRunner } from '../operation';

export interface MasterKeysProps {
  readonly runner: OperationRunner;
  /** Names of the keys; the default key first. */
  readonly keys: readonly string[];
  /**
   * The client of KES that uses a key, where it is another than MinIO.
   *
   * @default - all are MinIO's
   */
  readonly clients?: Readonly<Record<string, string>>;
  /** KES as the client that may only create. */
  readonly creator: MutualTlsEndpoint;
  /** KES as the client that may use the keys, to make and open canaries. */
  readonly prover: MutualTlsEndpoint;
  /** File of the canaries. */
  readonly canariesFile: string;
  /** The volume that holds what is encrypted under the keys. @default - see `drives` */
  readonly dataVolume?: string;
  /** What holds it where it is not one volume, and the file in which that is noted. @default - see `dataVolume` */
  readonly drives?: NonNullable<OperationInput<'create-master-keys'>['drives']>;
  /** Values that make the keys be proven again. */
  readonly triggers: Readonly<Record<string, string>>;
  readonly dependsOn: readonly ITerraformDependable[];
}

/**
 * The master keys: each created once and proven since by its canary. A key that is missing or that has become another
 * one stops the deploy.
 */
export class MasterKeys extends Construct {
  private readonly operation: Operation<'create-master-keys'>;

  constructor(scope: Construct, id: string, props: MasterKeysProps) {
    super(scope, id);
    if (props.keys.length === 0) throw new DeclarationError(this, '`keys` must name at least one key, got: none');
    props.keys.forEach((key, index) => {
      if (!kesName.test(key)) throw new DeclarationError(this, `\`keys[${index}]\` ${kesName.rule}, got: ${key}`);
      if (props.keys.indexOf(key) !== index) {
        throw new DeclarationError(this, `\`keys[${index}]\` must be unique, got: ${key} twice`);
      }
    });
    this.operation = new Operation(this, 'Create', {
      runner: props.runner,
      operation: 'create-master-keys',
      input: {
        creator: props.creator,
        prover: props.prover,
        keys: [...props.keys],
        clients: { ...props.clients },
        canariesFile: props.canariesFile,
        ...(props.dataVolume === undefined ? {} : { dataVolume: props.dataVolume }),
        ...(props.drives === undefined ? {} : { drives: props.drives }),
      },
      triggers: props.triggers,
      dependsOn: props.dependsOn,
    });
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
