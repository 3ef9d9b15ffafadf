/** `./scripts/report`: what the checks found on each day, for an auditor who trusts only a signature. */
import path from 'node:path';
import { headOf, headText } from '../operations/evidence/chain';
import { evidenceKey, linesOf } from '../operations/evidence/keep-report';
import { isComplete, verificationText, verifyReports } from '../operations/evidence/verify';
import { UsageError } from '../operations/lib/errors';
import { readIfExists } from '../operations/lib/files';
import { EXIT } from '../operations/lib/print-error';
import { loadEnvironment } from '../operations/state/load';
import { type Call, command, FLAG, TEXT } from './lib/command-line';

const HELP = `Usage: ./scripts/report key [environment]
       ./scripts/report verify FOLDER --signer ed25519:… [--from DAY] [--to DAY] [--head NUMBER:SHA256] [--json]

Every run of all checks leaves a record in reports/evidence.jsonl of the state folder: signed by a key of the deployment,
and chained to the record before. Backups hold them, and the reports themselves as JSON.

  key           print the public key, and the head of the chain: hand both to whoever is to verify
  verify        say for each day whether the checks passed, and whether anything was altered, removed or
                moved. FOLDER is reports/ of the state folder, or a copy of it. Nothing else of the deployment
                is needed
  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --signer      the public key
  --from, --to  first and last day, in UTC (default: those of the first and the last record)
  --head        as an earlier verify printed it: the chain must still hold that record
  --json        print the result as JSON
  -h, --help    this text

Exit codes:
  0    everything is genuine, and the checks passed on each day
  1    something is not, or a day has no report, or a red one
  64   wrong call
`;

const OPTIONS = { signer: TEXT, from: TEXT, to: TEXT, head: TEXT, json: FLAG };

void command('report', HELP, OPTIONS, report, () => 1);

function report({ values, positionals: [what, place] }: Call<typeof OPTIONS>): void {
  if (what === 'key') showKey(place);
  else if (what === 'verify') verify(place, values);
  else throw new UsageError(`must be key or verify, got: ${what ?? 'nothing'}`, 'See ./scripts/report --help.');
}

function showKey(environment: string | undefined): void {
  const { state, argument } = loadEnvironment(environment);
  const lines = linesOf(readIfExists(state.evidence) ?? '');
  const head = headOf(lines);
  if (head === undefined) {
    throw new UsageError(`there is no signed report yet in ${state.evidence}`, `make one: ./scripts/check ${argument}`);
  }
  process.stdout.write(`${evidenceKey(state, true).publicKey}\nhead: ${headText(head)}\n`);
}

function verify(
  folder: string | undefined,
  {
    signer,
    json,
    ...options
  }: Partial<Record<'signer' | 'from' | 'to' | 'head', string>> & { readonly json?: boolean },
): void {
  if (folder === undefined || signer === undefined) {
    throw new UsageError('give a FOLDER and --signer', 'See ./scripts/report --help.');
  }
  const verified = verifyReports({ folder: path.resolve(folder), publicKey: signer, ...options });
  process.stdout.write(json === true ? `${JSON.stringify(verified, null, 2)}\n` : verificationText(verified));
  process.exitCode = isComplete(verified) ? EXIT.ok : EXIT.failed;
}
