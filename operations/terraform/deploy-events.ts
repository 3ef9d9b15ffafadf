/** Reads what Terraform says with `-json` while it plans and applies one stack: what it is at, and what went wrong. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { howToAllow, lossOf, REFUSED, refusedAddress } from './plan/protection';
import { parsedJson } from '../lib/text/json';
import { type Diagnostic, diagnosticOf } from './terraform';

/** What a line meant. */
export interface DeployEvent {
  /** The line as a person reads it; undefined where it says nothing to people. */
  readonly text?: string;
  /** What goes on at the moment. */
  readonly now?: string;
}

/** How many lines are shown where a failure was printed in no shape that is known. */
const FALLBACK_LINES = 20;

/** The verbs under which work on a resource begins; their messages begin with its address. */
const BEGINS = new Map([
  ['create', 'creating'],
  ['update', 'modifying'],
  ['delete', 'destroying'],
]);

/** https://developer.hashicorp.com/terraform/internals/machine-readable-ui, which OpenTofu keeps. */
const eventLine = z.object({
  '@message': z.string(),
  type: z.string(),
  hook: z
    .object({
      resource: z.object({ addr: z.string() }).optional(),
      action: z.string().optional(),
      output: z.string().optional(),
    })
    .optional(),
});

const constructs = z.object({
  resource: z
    .record(
      z.string(),
      z.record(z.string(), z.object({ '//': z.object({ metadata: z.object({ path: z.string() }) }) })),
    )
    .default({}),
});

export class DeployEvents {
  private readonly lines: string[] = [];
  private readonly diagnostics: Diagnostic[] = [];
  /** What each operation said, by the address of its resource. */
  private readonly said = new Map<string, string[]>();
  /** The actions that ended well, by the address of their resource. */
  private readonly done = new Map<string, string[]>();
  private readonly environment: string;
  private readonly stack: string;
  private readonly paths: ReadonlyMap<string, string>;

  /**
   * @param environment name of the environment
   * @param paths the path of each construct, without its stack, by the address of its resource
   */
  constructor(environment: string, stack: string, paths: ReadonlyMap<string, string>) {
    this.environment = environment;
    this.stack = stack;
    this.paths = paths;
  }

  take(line: string): DeployEvent {
    const diagnostic = diagnosticOf(line);
    if (diagnostic !== undefined) {
      this.diagnostics.push(diagnostic);
      return this.say(this.explain(diagnostic));
    }
    const event = eventLine.safeParse(parsedJson(line)).data;
    // what is no JSON is an error before Terraform began
    if (event === undefined) return line.trim() === '' ? {} : this.say([line]);
    const address = event.hook?.resource?.addr;
    if (address !== undefined && event.type === 'apply_complete') {
      this.done.set(address, [...(this.done.get(address) ?? []), event.hook?.action ?? '']);
    }
    if (address === undefined) return event.type === 'version' ? {} : this.say([event['@message']]);
    const output = event.hook?.output;
    if (event.type === 'provision_progress' && output !== undefined) return this.takeOutput(address, output);
    const verb = event.type === 'apply_start' ? BEGINS.get(event.hook?.action ?? '') : undefined;
    return {
      ...this.say([event['@message'].replace(address, this.named(address))]),
      ...(verb === undefined ? {} : { now: `${this.stack}: ${this.shortPath(address)}: ${verb}` }),
    };
  }

  /** What was changed, for people: in the words of a plan, see scripts/lib/pages/plan-text.ts. */
  changes(): string {
    const words = [...this.done].map(([address, actions]) => wordOf(address, actions));
    const counts = ['created', 'changed', 'replaced', 'deleted', 'run'].flatMap((word) => {
      const count = words.filter((other) => other === word).length;
      return count === 0 ? [] : [`${count} ${word}`];
    });
    return counts.length === 0 ? 'no change' : counts.join(', ');
  }

  /** The errors among what was said, or its end. */
  failure(): string[] {
    if (this.diagnostics.length === 0) return this.lines.slice(-FALLBACK_LINES);
    return this.diagnostics.flatMap((diagnostic) => this.describe(diagnostic));
  }

  get errors(): readonly Diagnostic[] {
    return this.diagnostics;
  }

  private takeOutput(address: string, output: string): DeployEvent {
    const lines = output.split('\n').filter((line) => line.trim() !== '');
    const said = lines.filter((line) => !line.startsWith('Executing: '));
    this.said.set(address, [...(this.said.get(address) ?? []), ...said]);
    const last = said.at(-1);
    return {
      ...this.say(lines.map((line) => `${this.named(address)} (local-exec): ${line}`)),
      ...(last === undefined ? {} : { now: `${this.stack}: ${last}` }),
    };
  }

  private say(lines: readonly string[]): DeployEvent {
    this.lines.push(...lines);
    return { text: lines.map((line) => `${this.stack}  ${line}`).join('\n') };
  }

  /** One error; where an operation said itself what was wrong, that and not what Terraform makes of it. */
  private describe(diagnostic: Diagnostic): string[] {
    const { summary, detail, address = '' } = diagnostic;
    if (summary === REFUSED) return this.describeRefusal(refusedAddress(detail) ?? 'something');
    const said = summary === 'local-exec provisioner error' ? this.said.get(address) : undefined;
    const first = said?.findLastIndex((line) => /^(internal )?error: /.test(line)) ?? -1;
    if (said === undefined || first === -1) return this.explain(diagnostic);
    return [`${this.shortPath(address)}:`, ...said.slice(first).map((line) => `  ${line}`)];
  }

  private describeRefusal(address: string): string[] {
    return [
      `refused: ${address} would be deleted or replaced. This would lose ${lossOf(address)}.`,
      `To continue, ${howToAllow(this.environment)}.`,
    ];
  }

  private explain({ summary, detail, address }: Diagnostic): string[] {
    return [
      `Error: ${summary}`,
      ...(address === undefined ? [] : [`  with ${this.named(address)}`]),
      ...detail.split('\n').filter((line) => line.trim() !== ''),
    ];
  }

  /** `terraform_data.Keys_Run_1A2B (Keys/Run/Resource)`, as cdktf writes it. */
  private named(address: string): string {
    const found = this.paths.get(address);
    return found === undefined ? address : `${address} (${found})`;
  }

  private shortPath(address: string): string {
    return (this.paths.get(address) ?? address).replace(/\/Resource$/, '');
  }
}

/** What became of a resource. An operation that runs again is neither created nor deleted, see constructs/operation.ts. */
function wordOf(address: string, actions: readonly string[]): string {
  const [created, deleted] = [actions.includes('create'), actions.includes('delete')];
  if (created && address.startsWith('terraform_data.')) return 'run';
  if (created) return deleted ? 'replaced' : 'created';
  return deleted ? 'deleted' : 'changed';
}

/** The path of each construct of a synthesized stack, without the stack's name, by the address of its resource. */
export function constructPaths(folder: string): Map<string, string> {
  const { resource } = constructs.parse(JSON.parse(readFileSync(path.join(folder, 'cdk.tf.json'), 'utf8')));
  return new Map(
    Object.entries(resource).flatMap(([type, named]) =>
      Object.entries(named).map(
        ([
          name,
          {
            '//': { metadata },
          },
        ]): [string, string] => [`${type}.${name}`, metadata.path.slice(metadata.path.indexOf('/') + 1)],
      ),
    ),
  );
}
