/** What came of each fault, as docs/reliability.md, and as docs/reliability-drives.md. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../../operations/lib/project-root';

export interface FaultRow {
  readonly fault: string;
  /** Where it struck, if at more than one point. */
  readonly points?: readonly string[];
  /** What a client without retries was told, and for how long. */
  readonly client: string;
  /** What named cause and next step; empty where nothing has to be done. */
  readonly said: string;
  /** Who or what put it right. */
  readonly mended: string;
  /** Seconds until requests succeeded for good: since it broke, or since the mending began. */
  readonly seconds: number;
  /** Objects that were read and compared afterwards. */
  readonly objects: number;
}

export interface TableFacts {
  readonly startedAt: Date;
  readonly machine: string;
  readonly cache: string;
}

export function faultPage(rows: readonly FaultRow[], { startedAt, machine, cache }: TableFacts): string {
  const least = Math.min(...rows.map(({ objects }) => objects));
  return `# Reliability

What happens when something breaks. \`EBS_WRITE_DOCS=1 EBS_E2E_LONG=1 npx jest --config jest.e2e.config.cjs reliability\`
writes this page; do not edit it. The test breaks a real deployment in each of these ways.

Seen on ${startedAt.toISOString().slice(0, 10)}, on ${machine}. After every fault at least ${least} objects were read
and compared by hash, in each mode of encryption. Among them was every object whose PUT was acknowledged during the fault.
**None was lost.**

[Faults of one drive among several](reliability-drives.md) and [of several hosts](reliability-hosts.md) have pages of their
own.

The client sends a PUT and a GET four times a second and never retries. KES keeps a master key in memory for ${cache} here,
so that faults behind it reach the client. By default it keeps one in use for up to 5 minutes, and most shorter outages of
Vault reach no client.

For each fault:

- **Client**: what the client saw, and for how long.
- **Named by**: the command that names the cause, and the next step that it gives.
- **Mended by**: what ended the fault. "Itself" means that no person has to act.
- **Well after**: seconds until requests succeeded for good. They count from the fault, or from when the mending began.

${rows.map(section).join('\n')}`;
}

/** The same of faults of one drive among several. */
export function drivePage(rows: readonly FaultRow[], { startedAt, machine }: Omit<TableFacts, 'cache'>): string {
  const least = Math.min(...rows.map(({ objects }) => objects));
  return `# Reliability of several drives

What happens when one of four drives breaks. \`EBS_WRITE_DOCS=1 npx jest --config jest.e2e.config.cjs heal\` writes this
page; do not edit it. The test breaks drives of a real deployment. [The other faults](reliability.md) have a page of their
own.

Seen on ${startedAt.toISOString().slice(0, 10)}, on ${machine}, which other work kept busy. Each time at least ${least} objects were
read afterwards while two of the other drives were away, so that each read needed the drive that was healed. **None was lost.**

The client sends eight PUTs with their GETs a second and never retries. **Well after** counts from when the drive was given
back until everything was on it again.

${rows.map(section).join('\n')}`;
}

/** What came of a fault of several hosts. */
export interface HostRow {
  readonly fault: string;
  /** Of clients that send again what was not answered. */
  readonly requests: number;
  readonly failed: number;
  readonly troubledMs: number;
  readonly slowestMs: number;
  /** The longest time of a request that was under way at the fault, which the two above do not count. */
  readonly underWayMs: number;
  /** Of a client that does not. */
  readonly sentOnce: { readonly requests: number; readonly failed: number };
  /** Objects that were read and compared afterwards. */
  readonly objects: number;
}

/** The same of faults of several hosts. */
export function hostPage(rows: readonly HostRow[], { startedAt, machine }: Omit<TableFacts, 'cache'>): string {
  const least = Math.min(...rows.map(({ objects }) => objects));
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  return `# Reliability of several hosts

What happens when something of three hosts breaks, or changes. \`EBS_WRITE_DOCS=1 npx jest --config jest.e2e.config.cjs hosts\`
writes this page; do not edit it. The test breaks hosts, programs and networks of a real deployment: three Docker engines of
one machine, each with its own network and processes. A host loses its power without a word. [Faults of one
host](reliability.md) and [of one drive](reliability-drives.md) have pages of their own.

Seen on ${startedAt.toISOString().slice(0, 10)}, on ${machine}. After every fault at least ${least} objects were read and
compared by hash, among them every object whose PUT was acknowledged during the fault. **None was lost.**

Two clients know the addresses of all three hosts. What is not answered within 2 s they send again, to the next host. A third
one talks to a host that lives, waits for each answer, and sends nothing again. Each sends four PUTs and four GETs a second.
**Trouble** is the time from the beginning of the first request that failed, was sent again or took more than a second, to the
end of the last. It does not count requests that were **under way** at that moment: MinIO keeps an object locked, for some
seconds, whose writer lost its power. **Sent once** says what failed of the third client.

| Fault or change | Failed | Trouble | Slowest | Under way | Sent once |
|---|---|---|---|---|---|
${rows
  .map(({ fault, requests, failed, troubledMs, slowestMs, underWayMs, sentOnce }) =>
    [
      '',
      fault,
      `${failed} of ${requests}`,
      seconds(troubledMs),
      seconds(slowestMs),
      seconds(underWayMs),
      `${sentOnce.failed} of ${sentOnce.requests}`,
      '',
    ].join(' | '),
  )
  .map((line) => line.trim())
  .join('\n')}
`;
}

function section({ fault, points, client, said, mended, seconds }: FaultRow): string {
  return [
    `## ${fault}`,
    '',
    ...(points === undefined ? [] : [`- Points: ${points.join(', ')}`]),
    `- Client: ${client}`,
    ...named(said),
    `- Mended by: ${mended}`,
    `- Well after: ${seconds.toFixed(1)} s`,
    '',
  ].join('\n');
}

function named(said: string): string[] {
  const [cause = '', ...steps] = said.replaceAll('\n', ' ').split(/\s+(?:fix|hint): /);
  return cause === '' ? [] : [`- Named by: ${cause}`, ...steps.map((step) => `- Next step: ${step}`)];
}

export function writePage(file: string, text: string): void {
  writeFileSync(file, text);
  // the format is checked by ./scripts/test
  execFileSync(path.join(projectRoot, 'node_modules', '.bin', 'prettier'), ['--write', file], { stdio: 'ignore' });
}
