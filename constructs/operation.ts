import { DataResource, type ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import path from 'node:path';
import type { OperationInput, OperationName } from '../config/operation-inputs';
import { interruptedRuns, literal, renewalGeneration } from './expressions';

/** How a `local-exec` starts an operation. */
export interface OperationRunner {
  /** Absolute path of the program; the operation's name is its only argument. */
  readonly program: string;
  /**
   * Variables of its environment, such as `DOCKER_HOST`. Never a secret.
   *
   * @default - those of the deploy
   */
  readonly variables?: Readonly<Record<string, string>>;
  /**
   * Folder in which each operation notes that it began and that it ended, so that one that was killed runs again:
   * Terraform takes it for done.
   *
   * @default - nothing is noted
   */
  readonly journal?: string;
}

/** The operations that come with these constructs, in a clone as in an installed package. */
export const OWN_RUNNER = path.join(__dirname, '..', 'operations', 'run');

export interface OperationProps<N extends OperationName> {
  readonly runner: OperationRunner;
  readonly operation: N;
  /** What the operation is told. Ends up in the state: never a secret. */
  readonly input: OperationInput<N>;
  /**
   * Values that make the operation run again when they change.
   *
   * @default - only a changed input does
   */
  readonly triggers?: Readonly<Record<string, string>>;
  /** @default - time alone does not make it run again */
  readonly renewal?: {
    /** File in which the operation notes when it must run again, see {@link renewalGeneration}. */
    readonly note: string;
    /**
     * Files that it makes: it runs again when one is missing.
     *
     * @default - only the note is looked at
     */
    readonly makes?: readonly string[];
  };
  /** @default - the operation runs as soon as the values that it uses are known */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/**
 * Something that acts at apply time: named here, done in `operations/`.
 *
 * It runs when it is created and whenever its input or a trigger changes. If it fails, the deploy fails, and it runs
 * again on the next one.
 */
export class Operation<N extends OperationName> extends Construct {
  private readonly resource: DataResource;

  constructor(scope: Construct, id: string, props: OperationProps<N>) {
    super(scope, id);
    const input = literal(JSON.stringify(props.input));
    const { journal: folder } = props.runner;
    const journal = folder === undefined ? undefined : `${folder}/${this.node.path.replaceAll('/', '.')}`;
    this.resource = new DataResource(this, 'Resource', {
      triggersReplace: {
        input,
        ...(props.renewal === undefined
          ? {}
          : { generation: renewalGeneration(props.renewal.note, props.renewal.makes) }),
        ...(journal === undefined ? {} : { interrupted: interruptedRuns(journal) }),
        ...props.triggers,
      },
      provisioners: [
        {
          type: 'local-exec',
          command: literal(`${shellWord(props.runner.program)} ${props.operation}`),
          environment: {
            ...Object.fromEntries(
              Object.entries(props.runner.variables ?? {}).map(([name, value]) => [name, literal(value)]),
            ),
            ...(journal === undefined ? {} : { EBS_OPERATION_JOURNAL: literal(journal) }),
            EBS_OPERATION_INPUT: input,
          },
        },
      ],
      ...(props.dependsOn === undefined ? {} : { dependsOn: [...props.dependsOn] }),
    });
  }

  /** Changes each time the operation ran. */
  get runId(): string {
    return this.resource.id;
  }

  /** For the `dependsOn` of what must wait until the operation has succeeded. */
  get dependable(): ITerraformDependable {
    return this.resource;
  }
}

/** One word for a POSIX shell, whatever is in it. */
function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
