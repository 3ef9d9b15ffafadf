/** Reads what `cdktf deploy` prints, line by line: which stack is at what, and what went wrong. */

import { howToAllow, lossOf, REFUSED, refusedAddress } from '../../operations/terraform/plan/protection';

/** What a line meant. */
export interface DeployEvent {
  /** What goes on at the moment. */
  readonly now?: string;
  /** All stacks are synthesised and initialised; the first one is being planned. */
  readonly planning?: true;
  /** A stack that has come to its end, and what that changed. */
  readonly done?: { readonly stack: string; readonly changes: string };
}

/** How many lines are shown where a failure was printed in no shape that is known. */
const FALLBACK_LINES = 20;

/** `terraform_data.Keys_Run_1A2B (Keys/Run/Resource)`: the second is the path of the construct. */
const RESOURCE = String.raw`\S+ \((?<path>[^)]*)\)`;
const WORK = new RegExp(`^${RESOURCE}: (?<verb>Creating|Modifying|Destroying|Still \\w+|Provisioning)`);
const SAID = new RegExp(`^${RESOURCE} \\(local-exec\\): (?<text>.*)$`);
const FAILED_OPERATION = new RegExp(`^\\s*with ${RESOURCE},$`);

export class DeployProgress {
  private readonly environment: string;
  private readonly prefix: string;
  private stack = '';
  private readonly lines: string[] = [];
  /** What each operation said, by the path of its construct. */
  private readonly said = new Map<string, string[]>();

  /** @param environment name of the environment, with which the names of its stacks begin */
  constructor(environment: string) {
    this.environment = environment;
    this.prefix = `${environment}-`;
  }

  take(raw: string): DeployEvent {
    const line = this.strip(raw);
    this.lines.push(line);
    if (/: Refreshing state\.\.\.|^Terraform used the selected providers|^No changes\./.test(line)) {
      return { planning: true, now: `${this.stack}: planning` };
    }
    const apply = /^Apply complete! Resources: (\d+) added, (\d+) changed, (\d+) destroyed/.exec(line);
    if (apply !== null) {
      const counts = [`${apply[1]} added`, `${apply[2]} changed`, `${apply[3]} destroyed`];
      const changes = counts.filter((count) => !count.startsWith('0 ')).join(', ');
      return { done: { stack: this.stack, changes: changes === '' ? 'no change' : changes } };
    }
    const said = SAID.exec(line)?.groups;
    if (said?.path !== undefined && said.text !== undefined && !said.text.startsWith('Executing: ')) {
      this.said.set(said.path, [...(this.said.get(said.path) ?? []), said.text]);
      return { now: `${this.stack}: ${said.text}` };
    }
    const work = WORK.exec(line)?.groups;
    if (work !== undefined)
      return { now: `${this.stack}: ${shortPath(work.path)}: ${(work.verb ?? '').toLowerCase()}` };
    return line.startsWith('Initializing the backend') ? { now: `${this.stack}: initialising` } : {};
  }

  /** The errors among what was printed, or its end. */
  failure(): string[] {
    const starts = this.lines.flatMap((line, index) => (line.startsWith('Error: ') ? [index] : []));
    if (starts.length === 0) return this.lines.filter((line) => line !== '').slice(-FALLBACK_LINES);
    // cdktf prints its own summary after the last error
    const end = this.lines.findLastIndex((line) => !/^$|^\d+ Stacks? |^Invoking Terraform CLI failed/.test(line)) + 1;
    return starts.flatMap((start, index) => this.describe(this.lines.slice(start, starts[index + 1] ?? end)));
  }

  /** One of Terraform's errors; where an operation said itself what was wrong, that, not wrapped to 80 columns. */
  private describe(block: readonly string[]): string[] {
    if (block[0] === `Error: ${REFUSED}`) return this.describeRefusal(refusedAddress(block.join('\n')) ?? 'something');
    const failed = block.map((line) => FAILED_OPERATION.exec(line)?.groups?.path).find((path) => path !== undefined);
    const said = block[0] === 'Error: local-exec provisioner error' ? this.said.get(failed ?? '') : undefined;
    const first = said?.findLastIndex((line) => /^(internal )?error: /.test(line)) ?? -1;
    if (said === undefined || first === -1) {
      return block.filter((line, index) => line !== '' || (index > 0 && block[index - 1] !== ''));
    }
    return [`${shortPath(failed)}:`, ...said.slice(first).map((line) => `  ${line}`)];
  }

  private describeRefusal(address: string): string[] {
    return [
      `refused: ${address} would be deleted or replaced. Lost would be ${lossOf(address)}.`,
      `To go on, ${howToAllow(this.environment)}.`,
    ];
  }

  /** Takes off colours, the name of the stack or the indentation below it, and the frame around errors. */
  private strip(raw: string): string {
    const text = raw.replaceAll(/\x1b\[[0-9;]*[A-Za-z]|\r/g, '').trimEnd();
    const named = /^(\S+) {2}(.*)$/.exec(text);
    if (named?.[1]?.startsWith(this.prefix) === true) this.stack = named[1];
    const body = named?.[1] === this.stack ? (named[2] ?? '') : text;
    const indentation = ' '.repeat(this.stack.length + 2);
    return (this.stack !== '' && body.startsWith(indentation) ? body.slice(indentation.length) : body).replace(
      /^[╷╵│] ?/,
      '',
    );
  }
}

function shortPath(path = ''): string {
  return path.replace(/\/Resource$/, '');
}
