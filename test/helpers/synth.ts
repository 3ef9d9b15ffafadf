import { type App, Testing, TerraformStack } from 'cdktf';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A resource, data source or provider as Terraform reads it, with snake_case attributes. */
export type Block = Readonly<Record<string, unknown>>;

/** An operation as a stack names it. */
export interface DeclaredOperation {
  readonly command: string;
  readonly input: Block;
  /** What makes it run again, besides its input. */
  readonly triggers: Readonly<Record<string, string>>;
  /** What its environment holds besides its input. */
  readonly variables: Readonly<Record<string, string>>;
  readonly dependsOn: readonly string[];
}

/** What a stack became. */
export class Synthesized {
  readonly json: Block;
  /** The text that Terraform reads. */
  readonly text: string;
  /** Names of the stacks that must be deployed before. */
  readonly dependencies: readonly string[];

  constructor(text: string, dependencies: readonly string[] = []) {
    this.text = text;
    this.dependencies = dependencies;
    this.json = JSON.parse(text) as Block;
  }

  /** Every resource of a type, by its id in Terraform. */
  resources(type: string): Readonly<Record<string, Block>> {
    return (block(this.json.resource)[type] ?? {}) as Readonly<Record<string, Block>>;
  }

  /** The resource of a type whose id begins like that, or the only one. */
  resource(type: string, id = ''): Block {
    const found = Object.entries(this.resources(type)).filter(([name]) => name.startsWith(id));
    const [first] = found;
    if (first === undefined || found.length > 1) {
      throw new Error(`${found.length} resources of type ${type} are called ${id}…, expected one`);
    }
    return first[1];
  }

  /** The operation of that name. */
  operation(name: string): DeclaredOperation {
    const found = this.operations().filter((operation) => operation.command.endsWith(` ${name}`));
    const [operation] = found;
    if (operation === undefined || found.length > 1) {
      throw new Error(`${found.length} operations ${name}, expected one`);
    }
    return operation;
  }

  operations(): DeclaredOperation[] {
    return Object.values(this.resources('terraform_data')).map(declaredOperation);
  }

  output(name: string): Block {
    return block(block(this.json.output)[name]);
  }

  provider(name: string): Block {
    const [provider] = block(this.json.provider)[name] as Block[];
    return provider ?? {};
  }
}

const outdir = mkdtempSync(path.join(tmpdir(), 'ebs-synth-'));
afterAll(() => {
  rmSync(outdir, { recursive: true, force: true });
});

/** A stack to declare something in. */
export function newStack(): TerraformStack {
  return new TerraformStack(Testing.app({ outdir }), 'stack');
}

/** Synthesizes one stack, once. */
export function synth(stack: TerraformStack): Synthesized {
  return new Synthesized(Testing.synth(stack));
}

/** Synthesizes a whole app as `cdktf synth` does: the stacks by their name. */
export function synthApp(app: App): Readonly<Record<string, Synthesized>> {
  app.synth();
  const read = (file: string) => readFileSync(path.join(app.outdir, file), 'utf8');
  const { stacks } = JSON.parse(read('manifest.json')) as {
    stacks: Record<string, { synthesizedStackPath: string; dependencies: string[] }>;
  };
  return Object.fromEntries(
    Object.entries(stacks).map(([name, { synthesizedStackPath, dependencies }]) => [
      name,
      new Synthesized(read(synthesizedStackPath), dependencies),
    ]),
  );
}

function declaredOperation(data: Block): DeclaredOperation {
  const { input, ...triggers } = data.triggers_replace as Record<string, string>;
  const { EBS_OPERATION_INPUT: passed, ...variables } = localExec(data).environment as Record<string, string>;
  // an operation runs again exactly when what it is told changes
  expect(passed).toBe(input);
  return {
    command: command(data),
    input: JSON.parse(unescaped(input ?? '')) as Block,
    triggers,
    variables,
    dependsOn: (data.depends_on ?? []) as string[],
  };
}

function block(value: unknown): Block {
  return (value ?? {}) as Block;
}

function localExec(data: Block): Block {
  const [provisioner] = (data.provisioner ?? []) as Block[];
  return block(provisioner?.['local-exec']);
}

function command(data: Block): string {
  return String(localExec(data).command);
}

/** What Terraform makes of a template without expressions. */
function unescaped(template: string): string {
  return template.replaceAll('$${', '${').replaceAll('%%{', '%{');
}
