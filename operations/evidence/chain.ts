/**
 * Evidence over time: of every run of all checks a record is kept, signed by a key of the deployment and chained to the one
 * before. Who has the public key alone sees what was altered, removed, added or moved. What was cut off at the end
 * shows by the days that then have no report, and by a head that was noted before: docs/adr/0066.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { STATUSES } from '../checks/runner';
import { type SigningKey, isSignedBy } from '../lib/ed25519';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const content = z.strictObject({
  version: z.literal(1),
  /** From 1 on. */
  number: z.int().min(1),
  /** SHA-256 of the line of the record before; null for the first. */
  previous: sha256.nullable(),
  environment: z.string(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  outcome: z.enum(['passed', 'failed', 'could-not-check']),
  counts: z.record(z.enum(STATUSES), z.int().nonnegative()),
  /** Ids of the checks that did not pass. */
  red: z.array(z.string()),
  /** Of the report as JSON. */
  report: sha256,
});
const record = content.extend({ signature: z.string() });

export type RecordContent = z.infer<typeof content>;
export type EvidenceRecord = z.infer<typeof record>;

/** What is signed begins with this, so that no signature of something else can be taken for one of a record. */
const CONTEXT = 'encrypted-backup-storage evidence 1\n';

const bytesOf = (signed: RecordContent): Buffer => Buffer.from(`${CONTEXT}${JSON.stringify(signed)}`);

export const hashOf = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

/** A record as a line, without the line break. */
export function signedLine(signed: RecordContent, key: SigningKey): string {
  return JSON.stringify({ ...signed, signature: key.sign(bytesOf(signed)).signature });
}

/** @returns undefined if the line is none of a record */
export function recordIn(line: string): EvidenceRecord | undefined {
  try {
    return record.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** Where a chain ended when it was last looked at: a later look must find it again. */
export interface Head {
  readonly number: number;
  readonly hash: string;
}

export const headText = ({ number, hash }: Head): string => `${number}:${hash}`;

/** The head of a chain; undefined if it is empty. */
export function headOf(lines: readonly string[]): Head | undefined {
  const last = lines.at(-1);
  const number = last === undefined ? undefined : recordIn(last)?.number;
  return last === undefined || number === undefined ? undefined : { number, hash: hashOf(last) };
}

/** A day, in UTC. */
export interface Day {
  readonly date: string;
  /** `none`: there is no report of it. */
  readonly outcome: EvidenceRecord['outcome'] | 'none';
  readonly reports: number;
  readonly red: readonly string[];
}

export interface Verification {
  /** What is not as it was written. Empty: all is. */
  readonly problems: readonly string[];
  readonly days: readonly Day[];
  readonly records: number;
  readonly head: Head | undefined;
}

export interface VerifyOptions {
  /** Of the key that must have signed everything. */
  readonly publicKey: string;
  /** The report of a record, if it was kept: named by when it began. */
  readonly reportOf: (startedAt: string) => Buffer | undefined;
  /** First and last day that are looked at, in UTC. Default: those of the first and the last record. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** What was noted at an earlier look. */
  readonly head?: Head | undefined;
}

/** Looks at every line. Nothing of a line is believed whose signature is wrong. */
export function verifyChain(lines: readonly string[], options: VerifyOptions): Verification {
  const problems: string[] = [];
  const genuine: EvidenceRecord[] = [];
  let before: { readonly record: EvidenceRecord; readonly line: string } | undefined;
  lines.forEach((line, index) => {
    const where = `line ${index + 1}`;
    const found = recordIn(line);
    if (found === undefined) {
      problems.push(`${where} is no record: it was altered`);
      return;
    }
    const { signature, ...signed } = found;
    if (!isSignedBy(options.publicKey, bytesOf(signed), { signature })) {
      problems.push(`${where}, record ${found.number}: was altered, or signed with another key`);
      return;
    }
    problems.push(...gapBetween(before, found, where));
    const report = options.reportOf(found.startedAt);
    if (report !== undefined && hashOf(report) !== found.report) {
      problems.push(`${where}, record ${found.number}: the report of ${found.startedAt} was altered`);
    }
    genuine.push(found);
    before = { record: found, line };
  });
  problems.push(...headProblems(lines, options.head));
  return { problems, days: daysOf(genuine, options), records: genuine.length, head: headOf(lines) };
}

function gapBetween(
  before: { readonly record: EvidenceRecord; readonly line: string } | undefined,
  { number, previous, finishedAt }: EvidenceRecord,
  where: string,
): string[] {
  const expected = (before?.record.number ?? 0) + 1;
  if (number > expected) {
    return [
      `${where}: ${number - expected === 1 ? `record ${expected} is` : `records ${expected} to ${number - 1} are`} missing or not genuine`,
    ];
  }
  if (number < expected)
    return [`${where}: record ${number} comes after record ${expected - 1}: the order was changed`];
  if (previous !== (before === undefined ? null : hashOf(before.line))) {
    return [`${where}: record ${number} does not follow the record before it: that one was exchanged`];
  }
  if (before !== undefined && finishedAt < before.record.finishedAt) {
    return [`${where}: record ${number} is older than the one before it: the clock was put back`];
  }
  return [];
}

function headProblems(lines: readonly string[], head: Head | undefined): string[] {
  if (head === undefined || lines.some((line) => hashOf(line) === head.hash)) return [];
  return [`record ${head.number}, which was noted earlier, is not there any more: the end was cut off or replaced`];
}

const WORST: readonly EvidenceRecord['outcome'][] = ['failed', 'could-not-check', 'passed'];
const dayOf = (time: string): string => time.slice(0, 10);

function daysOf(records: readonly EvidenceRecord[], { from, to }: Pick<VerifyOptions, 'from' | 'to'>): Day[] {
  const dates = records.map(({ finishedAt }) => dayOf(finishedAt)).sort();
  const [first, last] = [from ?? dates[0], to ?? dates.at(-1)];
  if (first === undefined || last === undefined) return [];
  const days: Day[] = [];
  for (let time = Date.parse(first); time <= Date.parse(last); time += 24 * 60 * 60 * 1000) {
    const date = dayOf(new Date(time).toISOString());
    const own = records.filter(({ finishedAt }) => dayOf(finishedAt) === date);
    const outcome = WORST.find((one) => own.some((each) => each.outcome === one)) ?? 'none';
    days.push({ date, outcome, reports: own.length, red: [...new Set(own.flatMap(({ red }) => red))].sort() });
  }
  return days;
}
