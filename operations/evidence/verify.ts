/** Verifies a copy of `reports/`, with nothing but the public key. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { PUBLIC_KEY } from '../lib/ed25519';
import { UsageError } from '../lib/errors';
import { readIfExists } from '../lib/files';
import { type Head, headText, type Verification, verifyChain } from './chain';
import { linesOf } from './keep-report';

export interface VerifyCall {
  /** `reports/` of a state folder, or a copy of it. */
  readonly folder: string;
  readonly publicKey: string;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** As an earlier look printed it. */
  readonly head?: string | undefined;
}

/** @throws UsageError if the call or the folder is wrong */
export function verifyReports({ folder, publicKey, from, to, head }: VerifyCall): Verification {
  if (!PUBLIC_KEY.test(publicKey)) {
    throw new UsageError(`--signer: must be ed25519: and 44 characters of base64, got: ${publicKey}`);
  }
  for (const [option, date] of [
    ['--from', from],
    ['--to', to],
  ]) {
    if (date !== undefined && !(/^\d{4}-\d\d-\d\d$/.test(date) && !Number.isNaN(Date.parse(date)))) {
      throw new UsageError(`${option}: must be a day such as 2026-01-31, got: ${date}`);
    }
  }
  const file = path.join(folder, 'evidence.jsonl');
  const text = readIfExists(file);
  if (text === undefined) {
    throw new UsageError(`there is no ${file}`, 'name the folder reports of a state folder, or a copy of it');
  }
  return verifyChain(linesOf(text), {
    publicKey,
    reportOf: (startedAt) => {
      const report = path.join(folder, 'history', `checks-${startedAt.replaceAll(':', '-')}.json`);
      return existsSync(report) ? Buffer.from(readIfExists(report) ?? '') : undefined;
    },
    from,
    to,
    head: head === undefined ? undefined : parseHead(head),
  });
}

function parseHead(text: string): Head {
  const [, number, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (number !== undefined && hash !== undefined) return { number: Number(number), hash };
  throw new UsageError(`--head: must be NUMBER:SHA256 as ./scripts/report verify printed it, got: ${text}`);
}

const SAID = { passed: 'passed', failed: 'FAILED', 'could-not-check': 'COULD NOT CHECK', none: 'NO REPORT' } as const;

/** For people: a line for each day, then what is wrong. */
export function verificationText({ problems, days, records, head }: Verification): string {
  const lines = days.map(({ date, outcome, reports, red }) => {
    const count = reports > 1 ? ` (${reports} reports)` : '';
    return `${date}  ${SAID[outcome]}${count}${red.length === 0 ? '' : `: ${red.join(', ')}`}`;
  });
  const count = (outcome: keyof typeof SAID): number => days.filter((day) => day.outcome === outcome).length;
  return [
    ...lines,
    '',
    `${records} genuine record(s), ${days.length} day(s): ${count('passed')} passed, ${count('failed')} failed, ` +
      `${count('could-not-check')} could not check, ${count('none')} without a report`,
    ...problems.map((problem) => `NOT GENUINE: ${problem}`),
    ...(problems.length === 0 ? ['nothing was altered, removed or moved'] : []),
    ...(head === undefined
      ? []
      : [`head: ${headText(head)}`, 'Keep that line: with --head it shows later whether the end was cut off.']),
    '',
  ].join('\n');
}

/** Whether everything is genuine, and each day has a report of checks that passed. */
export const isComplete = ({ problems, days }: Verification): boolean =>
  problems.length === 0 && days.length > 0 && days.every(({ outcome }) => outcome === 'passed');
