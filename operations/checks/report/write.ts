/** Leaves the report of a run where people and programs look for it. */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { writeFileAtomically } from '../../lib/files';
import { htmlOf } from './html';
import { junitOf } from './junit';
import { jsonOf, type Report } from './model';

/** How many runs are kept, by default. */
const HISTORY = 20;

/** The formats, and what writes them; the JSON last, so that a program that waits for it finds the others, too. */
const FORMATS = { html: htmlOf, xml: junitOf, json: jsonOf } as const;

/** Paths of the newest report in each format. */
export type ReportFiles = Readonly<Record<keyof typeof FORMATS, string>>;

/** Where {@link writeReport} puts the newest report. */
export function reportFiles(folder: string): ReportFiles {
  const file = (format: keyof ReportFiles): string => path.join(folder, `checks.${format}`);
  return { html: file('html'), xml: file('xml'), json: file('json') };
}

/** Writes `checks.json`, `checks.xml` and `checks.html`, and the same into `history/` under the time of the run. */
export function writeReport(folder: string, report: Report, keep = HISTORY): ReportFiles {
  const history = path.join(folder, 'history');
  mkdirSync(history, { recursive: true, mode: 0o700 });
  const files = reportFiles(folder);
  for (const [format, write] of Object.entries(FORMATS)) {
    const text = write(report);
    writeFileAtomically(path.join(history, `checks-${report.startedAt.replaceAll(':', '-')}.${format}`), text, 0o644);
    writeFileAtomically(files[format as keyof ReportFiles], text, 0o644);
  }
  prune(history, keep);
  return files;
}

/** Removes all formats of the runs before the last ones, and nothing that is not a report. */
function prune(history: string, keep: number): void {
  const runOf = (file: string): string | undefined => /^(checks-\d{4}-[\dT.-]+Z)\.(?:html|xml|json)$/.exec(file)?.[1];
  const files = readdirSync(history);
  const runs = [...new Set(files.map(runOf).filter((run) => run !== undefined))].sort();
  const old = runs.slice(0, -keep);
  for (const file of files) {
    if (old.includes(runOf(file) ?? '')) rmSync(path.join(history, file), { force: true });
  }
}
