/** `./scripts/versions`: what this project ships, what is known against it, and what is in it. */
import { readToolchain } from '../operations/toolchain/findings';
import { UsageError } from '../operations/lib/errors';
import { PINNED_GO } from '../operations/toolchain/go/go-toolchain';
import { rows } from '../operations/vulnerabilities/answers';
import { readFindings, SHIPPED } from '../operations/vulnerabilities/findings';
import { imageBoms } from '../operations/vulnerabilities/sbom';
import { packageUrl, vexDocument } from '../operations/vulnerabilities/vex';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';

const HELP = `Usage: ./scripts/versions [--sbom | --vex]

Prints the versions of what this project ships, with the number of known vulnerabilities of each. What is said to each
of them is in docs/vulnerabilities.md.

  --sbom       print what is in each image, as CycloneDX 1.6: a JSON object with a document for each of vault, kes, minio.
               Builds what is not in the cache
  --vex        print what is said to each known vulnerability, as OpenVEX 0.2.0
  -h, --help   this text

${EXIT_CODES_HELP}
`;

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine('versions', args, {
    sbom: { type: 'boolean' },
    vex: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (positionals.length > 0 || (values.sbom && values.vex)) {
    throw new UsageError(
      `versions takes one of --sbom and --vex, and no environment, got: ${args.join(' ')}`,
      'See ./scripts/versions --help.',
    );
  }
  const print = (document: unknown): void => void process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  if (values.vex) print(vexDocument());
  else if (values.sbom) print(await imageBoms({ signal }));
  else process.stdout.write(summary());
});

function summary(): string {
  const table = rows();
  const { providers } = readToolchain();
  const programs = SHIPPED.map(({ name }) => {
    const own = table.filter(({ program }) => program === name);
    const affected = own.filter(({ answer }) => answer.status === 'affected').length;
    return `  ${name.padEnd(8)} ${packageUrl(name).replace('pkg:golang/', '')}  (${own.length} known vulnerabilities, ${affected} affect it)`;
  });
  return [
    ...programs,
    `  go       ${PINNED_GO}`,
    `  providers  docker ${providers.docker}, vault ${providers.vault} (${providers.source})`,
    `Looked up in golang.org/x/vulndb ${readFindings().database}; see docs/vulnerabilities.md.`,
    '',
  ].join('\n');
}
