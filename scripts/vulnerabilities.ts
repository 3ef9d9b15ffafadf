/** `npm run vulnerabilities`: looks every shipped program up, and writes the page about it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ExternalError, messageOf, UsageError } from '../operations/lib/errors';
import { problemsOf, readAnswers, rows } from '../operations/vulnerabilities/answers';
import { type Findings, FINDINGS_FILE, readFindings } from '../operations/vulnerabilities/findings';
import { PAGE_FILE, vulnerabilitiesPage } from '../operations/vulnerabilities/page';
import { scanSteps } from '../operations/vulnerabilities/scan';
import { EXIT_CODES_HELP, main } from './lib/command-line';
import { formatted } from './lib/pages/formatted';
import { showSteps } from './lib/progress';

const HELP = `Usage: npm run vulnerabilities [-- --packages | --page | --check]

Runs govulncheck over the sources of every program that is shipped, with the database that
toolchain/vulnerabilities/go.mod pins, and writes toolchain/vulnerabilities/findings.json and docs/vulnerabilities.md.
Every finding needs an answer in toolchain/vulnerabilities/answers.yaml. Takes some minutes and several GB of memory.
For a newer database: go get golang.org/x/vulndb@latest in toolchain/vulnerabilities, then this.

  --packages   do not look for paths of calls: faster, and in less memory
  --page       only write the page, from the findings of before
  --check      write nothing; fail when a finding has no answer or the page is not what would be written
  -h, --help   this text

${EXIT_CODES_HELP}
`;

void main(async (args, signal) => {
  const values = parseArguments(args);
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (!values.check && !values.page) {
    let found: Findings | undefined;
    await showSteps(
      scanSteps(values.packages === true ? 'package' : 'symbol', (findings) => {
        found = findings;
      }),
      signal,
    );
    writeFileSync(FINDINGS_FILE, await formatted(FINDINGS_FILE, JSON.stringify(found)));
  }
  const findings = readFindings();
  const problems = problemsOf(findings, readAnswers());
  if (problems.length > 0) {
    throw new ExternalError(
      `the table of vulnerabilities is not true:\n  ${problems.join('\n  ')}`,
      'Answer each in toolchain/vulnerabilities/answers.yaml, then run: npm run vulnerabilities -- --page',
    );
  }
  const page = await formatted(PAGE_FILE, vulnerabilitiesPage(findings, rows()));
  if (!values.check) writeFileSync(PAGE_FILE, page);
  else if (readFileSync(PAGE_FILE, 'utf8') !== page) {
    throw new ExternalError(`${PAGE_FILE} is not what the table says`, 'Run: npm run vulnerabilities -- --page');
  }
});

function parseArguments(args: string[]) {
  try {
    const options = {
      packages: { type: 'boolean' },
      page: { type: 'boolean' },
      check: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(messageOf(error), 'See npm run vulnerabilities -- --help.');
  }
}
