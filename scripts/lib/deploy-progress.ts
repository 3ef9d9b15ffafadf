/** Reads what `cdktf deploy` prints, line by line: which stack is at what, and what went wrong. */

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

export class DeployProgress {
  private readonly prefix: string;
  private stack = '';
  private readonly lines: string[] = [];

  /** @param environment name of the environment, with which the names of its stacks begin */
  constructor(environment: string) {
    this.prefix = `${environment}-`;
  }

  take(raw: string): DeployEvent {
    const line = this.strip(raw);
    this.lines.push(line);
    const planning = /: Refreshing state\.\.\.|^Terraform used the selected providers|^No changes\./.test(line);
    if (planning) return { planning, now: `${this.stack}: planning` };
    const apply = /^Apply complete! Resources: (\d+) added, (\d+) changed, (\d+) destroyed/.exec(line);
    if (apply !== null) {
      const [added, changed, destroyed] = apply.slice(1).map(Number);
      const counts = [`${added} added`, `${changed} changed`, `${destroyed} destroyed`];
      const changes = counts.filter((count) => !count.startsWith('0 ')).join(', ');
      return { done: { stack: this.stack, changes: changes === '' ? 'no change' : changes } };
    }
    const resource = /^(\S+) \(.*?\): (Creating|Modifying|Destroying|Still \w+|Provisioning)/.exec(line);
    if (resource !== null) return { now: `${this.stack}: ${resource[1]}: ${(resource[2] ?? '').toLowerCase()}` };
    const said = /^\S+ \(.*?\) \(local-exec\): (?!Executing: )(.+)$/.exec(line);
    if (said !== null) return { now: `${this.stack}: ${said[1]}` };
    if (line.startsWith('Initializing the backend')) return { now: `${this.stack}: initialising` };
    return {};
  }

  /** The errors among what was printed, or its end. */
  failure(): string[] {
    const starts = this.lines.flatMap((line, index) => (line.startsWith('Error: ') ? [index] : []));
    if (starts.length === 0) return this.lines.filter((line) => line !== '').slice(-FALLBACK_LINES);
    // cdktf prints its own summary after the last error
    const end = this.lines.findLastIndex(
      (line) => !/^$|^\d+ Stacks? deploying|^Invoking Terraform CLI failed/.test(line),
    );
    return this.lines.slice(starts[0], end + 1).filter((line, index, all) => line !== '' || all[index - 1] !== '');
  }

  /** Takes off colours, the name of the stack or the indentation below it, and the frame around errors. */
  private strip(raw: string): string {
    const text = raw.replaceAll(/\x1b\[[0-9;]*[A-Za-z]|\r/g, '').trimEnd();
    const named = /^(\S+) {2}(.*)$/.exec(text);
    if (named?.[1]?.startsWith(this.prefix) === true) this.stack = named[1];
    const body = named?.[1] === this.stack ? (named[2] ?? '') : text;
    const indentation = ' '.repeat(this.stack.length + 2);
    return (body.startsWith(indentation) ? body.slice(indentation.length) : body).replace(/^[╷╵│] ?/, '');
  }
}
