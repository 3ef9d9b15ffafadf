/** Keeps the report of a run of all checks: as files, and as a signed record in the chain. */
import { existsSync } from 'node:fs';
import type { LoadedEnvironment } from '../state/load';
import { jsonOf, type Report } from '../checks/report/model';
import { type ReportFiles, writeReport } from '../checks/report/write';
import { newSigningKey, type SigningKey, signingKeyIn } from '../lib/ed25519';
import { ExternalError, messageOf } from '../lib/errors';
import { readIfExists, writeFileAtomically } from '../lib/files';
import { waitForLock } from '../lib/lock';
import type { StateLayout } from '../../config/state/layout';
import { hashOf, recordIn, signedLine } from './chain';

type Place = Pick<StateLayout, 'evidence' | 'evidenceLock' | 'secret'>;

/** A run is not undone because its record cannot be added: that is a warning, and a day without a record. */
export async function keepReport({ environment, state }: LoadedEnvironment, report: Report): Promise<ReportFiles> {
  const files = writeReport(state.reports, report, environment.reports?.keep);
  try {
    await addRecord(state, environment.name, report);
  } catch (error) {
    const hint = error instanceof ExternalError && error.hint !== undefined ? `; ${error.hint}` : '';
    process.stderr.write(`warning: the report was not signed: ${messageOf(error)}${hint}\n`);
  }
  return files;
}

/**
 * Adds the record of a report to the chain.
 *
 * @throws ExternalError if the chain or its key is not as it was left
 */
async function addRecord(place: Place, environment: string, report: Report): Promise<void> {
  const lock = await waitForLock(place.evidenceLock, 'signing a report');
  try {
    const lines = linesOf(readIfExists(place.evidence) ?? '');
    const last = lines.at(-1);
    const before = last === undefined ? undefined : recordIn(last);
    if (last !== undefined && before === undefined) {
      throw new ExternalError(`the last line of ${place.evidence} is no record`, RECOVER);
    }
    const key = evidenceKey(place, lines.length > 0);
    const { startedAt, finishedAt, outcome, counts, results } = report;
    const line = signedLine(
      {
        ...{ version: 1, number: (before?.number ?? 0) + 1, previous: last === undefined ? null : hashOf(last) },
        ...{ environment, startedAt, finishedAt, outcome, counts },
        red: results.filter(({ status }) => status === 'failed' || status === 'could-not-check').map(({ id }) => id),
        report: hashOf(jsonOf(report)),
      },
      key,
    );
    writeFileAtomically(place.evidence, `${[...lines, line].join('\n')}\n`, 0o644);
  } finally {
    lock.release();
  }
}

const RECOVER =
  'put it back from a backup; or move reports/evidence.jsonl elsewhere, and a new chain begins with the next report';

/** The lines of a chain. */
export const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/**
 * The key that signs records, made with the first.
 *
 * @param used whether something was signed by it
 * @throws ExternalError if it is gone: another key would begin a chain that no signature joins to the old one
 */
export function evidenceKey(
  { secret: { evidenceSigningKey: file } }: Pick<StateLayout, 'secret'>,
  used: boolean,
): SigningKey {
  if (!existsSync(file)) {
    if (used) throw new ExternalError(`the key that signed the reports before is gone: there is no ${file}`, RECOVER);
    const made = newSigningKey();
    writeFileAtomically(file, made.pem);
    return made.key;
  }
  const key = signingKeyIn(readIfExists(file) ?? '');
  if (key === undefined) throw new ExternalError(`${file} is not an Ed25519 key in PEM`, RECOVER);
  return key;
}
