/** What came of each fault, as the table of docs/reliability.md. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../../config/toolchain';

export interface FaultRow {
  readonly fault: string;
  /** What a client without retries was told, and for how long. */
  readonly client: string;
  /** What named cause and next step; empty where nobody has to do anything. */
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

export function faultTable(rows: readonly FaultRow[], { startedAt, machine, cache }: TableFacts): string {
  const header = ['Fault', 'A client saw', 'What names cause and next step', 'Mended by', 'Well after'];
  const lines = [
    header,
    header.map(() => '---'),
    ...rows.map(({ fault, client, said, mended, seconds }) => [
      fault,
      client,
      said === '' ? '' : said,
      mended,
      `${seconds.toFixed(1)} s`,
    ]),
  ];
  const least = Math.min(...rows.map(({ objects }) => objects));
  return [
    '# Reliability',
    '',
    'What happens when something breaks. Written by',
    '`EBS_WRITE_DOCS=1 EBS_E2E_LONG=1 npx jest --config jest.e2e.config.cjs reliability`, which breaks a real deployment in',
    'each of these ways; do not edit.',
    '',
    `Seen on ${startedAt.toISOString().slice(0, 10)}, on ${machine}. After every fault at least ${least} objects were read`,
    'and compared by hash, in each mode of encryption, among them every object whose PUT was acknowledged while it was',
    'broken: **none was lost**.',
    '',
    `The client sends a PUT and a GET four times a second and never tries again. KES keeps a master key in memory for ${cache}`,
    'here, so that faults behind it can be seen at all; by default it keeps one in use for up to 5 minutes, and most outages',
    'of Vault that are shorter reach no client. "Well after" counts from the moment it broke, or, where somebody has to act,',
    'from the moment that the mending began, until requests succeeded for good.',
    '',
    ...lines.map((cells) => `| ${cells.map(escaped).join(' | ')} |`),
    '',
  ].join('\n');
}

export function writeFaultTable(file: string, rows: readonly FaultRow[], facts: TableFacts): void {
  writeFileSync(file, faultTable(rows, facts));
  // the format is checked by ./scripts/test
  execFileSync(path.join(projectRoot, 'node_modules', '.bin', 'prettier'), ['--write', file], { stdio: 'ignore' });
}

function escaped(cell: string): string {
  return cell.replaceAll('|', '\\|').replaceAll('\n', '<br>');
}
