/** `./scripts/versions`: what runs of an environment, what this project ships, what is known against it, and whether it can still be had. */
import { UsageError } from '../operations/lib/errors';
import { loadEnvironment } from '../operations/state/load';
import { versionsReport } from '../operations/toolchain/versions-report';
import { imageBoms } from '../operations/vulnerabilities/sbom';
import { vexDocument } from '../operations/vulnerabilities/vex';
import { command, EXIT_CODES_HELP, FLAG } from './lib/command-line';
import { versionsText } from './lib/pages/versions-text';

const HELP = `Usage: ./scripts/versions [environment] [--json]
       ./scripts/versions --sbom | --vex

Prints what runs of an environment, what this version of the project ships, how many vulnerabilities are known against
that, and whether the Go modules, images and providers can still be had: what cannot is a warning. Nothing is downloaded or
changed. What is said to each vulnerability is in docs/vulnerabilities.md, what an upgrade does in docs/upgrading.md.

  environment  a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --json       print the same as JSON
  --sbom       print what is in each image, as CycloneDX 1.6: a JSON object with a document for each image.
               Builds what is not in the cache
  --vex        print what is said to each known vulnerability, as OpenVEX 0.2.0
  -h, --help   this text

${EXIT_CODES_HELP}
`;

const OPTIONS = { json: FLAG, sbom: FLAG, vex: FLAG };

void command('versions', HELP, OPTIONS, async ({ values, positionals, signal }) => {
  const given = [...Object.keys(values).map((name) => `--${name}`), ...positionals];
  if ((values.sbom || values.vex) && given.length > 1) {
    throw new UsageError(
      `versions takes one of --sbom and --vex, and with it no environment, got: ${given.join(' ')}`,
      'See ./scripts/versions --help.',
    );
  }
  const print = (document: unknown): void => void process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  if (values.vex) print(vexDocument());
  else if (values.sbom) print(await imageBoms({ signal }));
  else {
    const report = await versionsReport(loadEnvironment(positionals[0]), signal);
    for (const { source, available, problem } of report.sources)
      if (available === 'no') process.stderr.write(`warning: ${source} cannot be had: ${problem ?? 'it is gone'}\n`);
    if (values.json) print(report);
    else process.stdout.write(versionsText(report));
  }
});
