/** `./scripts/check`: proves again, at any time, what the last deploy proved. */
import { pinEngines } from '../config/docker/docker-engine';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { triesHoles } from '../operations/checks/catalogue';
import type { Check } from '../operations/checks/check';
import { checkEndpoint } from '../operations/checks/check-endpoint';
import { checkEnvironment } from '../operations/checks/check-environment';
import { jsonOf, type Report } from '../operations/checks/report/model';
import { describeCounts, describeLeftOut, describeResult } from '../operations/checks/report/text';
import { type ReportFiles, writeReport } from '../operations/checks/report/write';
import type { RunOptions } from '../operations/checks/runner';
import { whileQuiet } from '../operations/checks/outage/while-quiet';
import { requireNoOtherEngine } from '../operations/docker/engine/engine-identity';
import { UsageError } from '../operations/lib/errors';
import { keepReport } from '../operations/evidence/keep-report';
import { leaveMetrics } from '../operations/monitoring/textfile';
import { withLock } from '../operations/lib/lock';
import { EXIT, printError } from '../operations/lib/print-error';
import { type CheckCall, parseCheckCall } from './lib/check-call';
import { main } from './lib/command-line';
import { checkList, checkListText } from './lib/pages/check-list';
import { warnOfBackupCoverage } from './lib/backup-coverage';

const HELP = `Usage: ./scripts/check [environment] [--only ID[,ID…]] [--disruptive] [--report FOLDER] [--json]
       ./scripts/check --endpoint URL [--ca FILE] [--region NAME] [--default-key NAME] [--key NAME]…
                       [--auto-encryption on|off] [--try-known-holes] [--only ID[,ID…]] [--report FOLDER] [--json]
       ./scripts/check --list [--json]

Runs the post-deploy checks against a deployed environment. A run of all of them replaces the report:
reports/checks.html, checks.json and checks.xml (JUnit) in the state folder of the environment.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --only        run these checks only; may be given several times
  --disruptive  run those that interrupt service, too: S3 requests fail for some seconds, then everything is restored
  --report      write the report into this folder, whatever was run
  --list        say which checks there are, what each proves and what it does not
  --json        print the report, or the list, as JSON
  -h, --help    this text

With --endpoint it looks at any S3 API from outside and says what it excluded. Credentials come from
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or from AWS_PROFILE. They must be allowed
s3:* on buckets named ebs-check-*.

  --endpoint        https:// address of the S3 API
  --ca              CA certificates of the endpoint, PEM (default: those of the system)
  --region          region of the endpoint (default: AWS_REGION, AWS_DEFAULT_REGION, us-east-1)
  --default-key     the master key that SSE-S3 and auto-encryption must use
  --key             another master key that requests may name; may be given several times
  --auto-encryption whether requests without an encryption header must be encrypted (default: not checked)
  --try-known-holes also send requests by which known holes of MinIO would show, to buckets of the run only: such as
                    unsigned writes. For a server that you may test. Needs a user's own credentials: MinIO has
                    no AssumeRole for an access key or a session

Exit codes:
  0    every check passed, or was skipped because it means nothing here
  1    a check failed
  3    could not check: no check failed, but some could not run (nothing deployed, not reachable, no access, …), or
       the environment was being changed, and then no report is written
  64   wrong call or configuration
  130  interrupted
`;

const EXIT_OF: Readonly<Record<Report['outcome'], number>> = {
  passed: EXIT.ok,
  failed: EXIT.failed,
  'could-not-check': EXIT.couldNotCheck,
};

type Run = Extract<CheckCall, { checks: unknown; complete: unknown }>;

void main(async (args, signal) => {
  const call = parseCheckCall(args, process.env);
  if (call.kind === 'help') {
    process.stdout.write(HELP);
    return;
  }
  if (call.kind === 'list') {
    const { checks, json } = call;
    process.stdout.write(json ? `${JSON.stringify(checkList(checks), null, 2)}\n` : checkListText(checks));
    return;
  }
  try {
    const lines = call.json ? process.stderr : process.stdout;
    const { report, folder, loaded } = await runOf(call, {
      signal,
      onResult: (result) => lines.write(`${describeResult(result)}\n`),
    });
    for (const left of report.leftOut) lines.write(`${describeLeftOut(left)}\n`);
    let files: ReportFiles | undefined;
    if (loaded !== undefined && folder === loaded.state.reports) {
      files = await keepReport(loaded, report);
      leaveMetrics(loaded);
    } else if (folder !== undefined) {
      files = writeReport(folder, report);
    }
    if (call.json) process.stdout.write(jsonOf(report));
    else process.stdout.write(`${describeCounts(report)} (${(report.durationMs / 1000).toFixed(1)} s)\n`);
    if (files !== undefined) process.stderr.write(`report: ${files.html}\n`);
    if (loaded !== undefined) warnOfBackupCoverage(loaded);
    process.exitCode = EXIT_OF[report.outcome];
  } catch (error) {
    if (signal.aborted || error instanceof UsageError) throw error;
    printError(error);
    process.exitCode = EXIT.couldNotCheck;
  }
});

/** Runs the checks; `folder` is where their report belongs. */
async function runOf(
  call: Run,
  running: Pick<RunOptions, 'signal' | 'onResult'>,
): Promise<{ report: Report; folder?: string | undefined; loaded?: LoadedEnvironment }> {
  const { checks, complete, report: folder } = call;
  if (call.kind === 'endpoint') {
    const { endpoint, region, expected, tryKnownHoles } = call;
    const isRun = (check: Check): boolean => check.from === 'outside' && (tryKnownHoles || !triesHoles(check));
    sayWhat(new URL(endpoint.url).host, checks.filter(isRun).length);
    return { report: await checkEndpoint({ endpoint, region, expected, checks, tryKnownHoles, ...running }), folder };
  }
  const loaded = loadEnvironment(call.environment);
  const { name } = loaded.environment;
  pinEngines(loaded.environment);
  await requireNoOtherEngine(loaded);
  sayWhat(name, checks.length);
  const options = { ...running, ...(complete && !call.disruptive ? {} : { checks }) };
  const report = call.disruptive
    ? await withLock(loaded.state.lock, `interrupting ${name} for its checks`, async () =>
        checkEnvironment(loaded, options),
      )
    : await whileQuiet(loaded.state.lock, async () => checkEnvironment(loaded, options));
  // a report of some checks must not pass for one of all
  return { report, loaded, folder: folder ?? (complete ? loaded.state.reports : undefined) };
}

function sayWhat(subject: string, count: number): void {
  process.stderr.write(`checking ${subject}: ${count === 1 ? '1 check' : `${count} checks`}\n`);
}
