/** `./scripts/check`: proves again, at any time, what the last deploy proved. */
import { loadEnvironment } from '../config/load';
import { catalogue, selectChecks } from '../operations/checks/catalogue';
import type { Check, CheckDescription } from '../operations/checks/check';
import { checkEnvironment } from '../operations/checks/check-environment';
import type { Report } from '../operations/checks/report/model';
import { describeCounts, describeResult } from '../operations/checks/report/text';
import { writeReport } from '../operations/checks/report/write';
import { UsageError } from '../operations/errors';
import { EXIT, printError } from '../operations/print-error';
import { main, parseCommandLine } from './lib/command-line';
import { warnOfEscrow } from './lib/escrow';

const HELP = `Usage: ./scripts/check [environment] [--only ID[,ID…]] [--json]
       ./scripts/check --list [--json]

Runs the post-deploy checks against a deployed environment. A run of all of them replaces the report:
reports/checks.html, checks.json and checks.xml (JUnit) in the state folder of the environment.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --only        run these checks only; may be given several times
  --list        say which checks there are, what each proves and what it does not
  --json        print the report, or the list, as JSON
  -h, --help    this text

Exit codes:
  0    every check passed, or was skipped because it means nothing for this environment
  1    a check failed
  3    no check failed, but some could not find out: nothing deployed, not reachable, …
  64   wrong call or configuration
  130  interrupted
`;

const EXIT_OF: Readonly<Record<Report['outcome'], number>> = {
  passed: EXIT.ok,
  failed: EXIT.failed,
  'could-not-check': EXIT.couldNotCheck,
};

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine('check', args, {
    only: { type: 'string', multiple: true },
    list: { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const ids = values.only?.flatMap((list) => list.split(',')).filter((id) => id !== '');
  const checks = ids === undefined ? catalogue : selectChecks(ids);
  if (values.list) {
    process.stdout.write(values.json ? `${JSON.stringify(checks.map(describedCheck), null, 2)}\n` : listText(checks));
    return;
  }
  const loaded = loadEnvironment(positionals[0]);
  try {
    const { name } = loaded.environment;
    process.stderr.write(`checking ${name}: ${checks.length === 1 ? '1 check' : `${checks.length} checks`}\n`);
    const lines = values.json ? process.stderr : process.stdout;
    const report = await checkEnvironment(loaded, {
      checks,
      signal,
      onResult: (result) => lines.write(`${describeResult(result)}\n`),
    });
    // a report of some checks must not pass for one of all
    const files = ids === undefined ? writeReport(loaded.state.reports, report) : undefined;
    if (values.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else process.stdout.write(`${describeCounts(report)} (${(report.durationMs / 1000).toFixed(1)} s)\n`);
    if (files !== undefined) process.stderr.write(`report: ${files.html}\n`);
    warnOfEscrow(loaded);
    process.exitCode = EXIT_OF[report.outcome];
  } catch (error) {
    if (signal.aborted || error instanceof UsageError) throw error;
    printError(error);
    process.exitCode = EXIT.couldNotCheck;
  }
});

function describedCheck({ id, title, proves, doesNotProve, severity }: Check): CheckDescription {
  return { id, title, severity, proves, doesNotProve };
}

function listText(checks: readonly Check[]): string {
  return checks
    .map(
      ({ id, title, severity, proves, doesNotProve }) =>
        `${id} (${severity})\n  ${title}\n  proves:         ${proves}\n  does not prove: ${doesNotProve}\n`,
    )
    .join('\n');
}
