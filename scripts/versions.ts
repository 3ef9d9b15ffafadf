/** `./scripts/versions`: what runs, what this project ships, what is known against it, and whether it can still be had. */
import { pinEngines } from '../config/docker/docker-engine';
import type { Program } from '../config/docker/image-source';
import { nodesOf } from '../config/node';
import { type RunningImages, runningImages } from '../operations/docker/running-images';
import { messageOf, UsageError } from '../operations/lib/errors';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { readDeployedVersions } from '../operations/state/notes/versions-note';
import { type Availability, availabilityOf } from '../operations/toolchain/availability';
import { readToolchain } from '../operations/toolchain/findings';
import { PINNED_GO } from '../operations/toolchain/go/go-toolchain';
import { findTerraform } from '../operations/toolchain/prerequisites';
import { describeImage, PROGRAM_NAMES, versionOf } from '../operations/toolchain/version-changes';
import { deployedPrograms, projectVersion, versionsOf } from '../operations/toolchain/versions';
import { rows } from '../operations/vulnerabilities/answers';
import { readFindings, SHIPPED } from '../operations/vulnerabilities/findings';
import { imageBoms } from '../operations/vulnerabilities/sbom';
import { vexDocument } from '../operations/vulnerabilities/vex';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';

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

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine('versions', args, {
    json: { type: 'boolean' },
    sbom: { type: 'boolean' },
    vex: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const documents = [values.sbom, values.vex].filter(Boolean).length;
  if (documents > 1 || (documents === 1 && (positionals.length > 0 || values.json))) {
    throw new UsageError(
      `versions takes one of --sbom and --vex, and with it no environment, got: ${args.join(' ')}`,
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
    else process.stdout.write(reportText(report));
  }
});

interface VersionsReport {
  readonly environment: string;
  readonly project: { readonly deployed: string | null; readonly shipped: string };
  /** By their containers: image and, where a deploy noted it, version. Null: Docker does not answer. */
  readonly running: Readonly<Partial<Record<Program, readonly { image: string; version: string | null }[]>>> | null;
  /** Why nothing is known of what runs. */
  readonly problem?: string;
  readonly shipped: Readonly<Record<string, string>>;
  readonly providers: { readonly docker: string; readonly vault: string; readonly source: string };
  readonly vulnerabilities: {
    readonly database: string;
    readonly programs: Readonly<Record<string, { known: number; affected: number }>>;
  };
  readonly sources: readonly Availability[];
}

async function versionsReport(loaded: LoadedEnvironment, signal: AbortSignal): Promise<VersionsReport> {
  const { environment, state } = loaded;
  const toolchain = readToolchain();
  const noted = readDeployedVersions(state);
  const flavour = findTerraform()?.flavour ?? 'tofu';
  const [running, sources] = await Promise.all([
    imagesOf(loaded),
    availabilityOf(environment, toolchain, flavour, signal),
  ]);
  const table = rows();
  return {
    environment: environment.name,
    project: { deployed: noted?.project ?? null, shipped: projectVersion() },
    ...(typeof running === 'string'
      ? { running: null, problem: running }
      : {
          running: Object.fromEntries(
            deployedPrograms(environment).map((program) => [
              program,
              (running[program] ?? []).map((image) => ({
                image,
                version: versionOf(image, noted?.programs[program]) ?? null,
              })),
            ]),
          ),
        }),
    shipped: versionsOf(environment),
    providers: toolchain.providers,
    vulnerabilities: {
      database: readFindings().database,
      programs: Object.fromEntries(
        SHIPPED.map(({ name }) => {
          const own = table.filter(({ program }) => program === name);
          const affected = own.filter(({ answer }) => answer.status === 'affected').length;
          return [name, { known: own.length, affected }];
        }),
      ),
    },
    sources,
  };
}

/** @returns why they are not known */
async function imagesOf({ environment }: LoadedEnvironment): Promise<RunningImages | string> {
  try {
    pinEngines(environment);
    return await runningImages(nodesOf(environment));
  } catch (error) {
    return messageOf(error);
  }
}

function reportText(report: VersionsReport): string {
  const { environment, project, running, problem, shipped, providers, vulnerabilities, sources } = report;
  const runs =
    running === null
      ? [`  cannot be told: ${problem ?? ''}`]
      : (Object.entries(running) as [Program, { image: string; version: string | null }[]][]).map(
          ([program, images]) =>
            `  ${PROGRAM_NAMES[program].padEnd(8)} ${images.length === 0 ? 'no container' : images.map(({ image, version }) => describeImage(image, version ?? undefined)).join(' and ')}`,
        );
  const { toolkit, ...programs } = shipped;
  return [
    `What runs of ${environment}, deployed by version ${project.deployed ?? '(not noted)'} of this project:`,
    ...runs,
    `What version ${toolkit ?? project.shipped} of this project ships:`,
    ...Object.entries(programs).map(([name, version]) => {
      const known = vulnerabilities.programs[name];
      const said =
        known === undefined || !version.startsWith('v')
          ? ''
          : `  (${known.known} known vulnerabilities, ${known.affected} affect it)`;
      return `  ${name.padEnd(8)} ${version}${said}`;
    }),
    `  go       ${PINNED_GO}`,
    `  providers  docker ${providers.docker}, vault ${providers.vault} (${providers.source})`,
    `Whether it can still be had:`,
    ...sources.map(
      ({ source, available, problem: why }) =>
        `  ${WORDS[available].padEnd(15)} ${source}${why === undefined ? '' : `: ${why}`}`,
    ),
    `Looked up in golang.org/x/vulndb ${vulnerabilities.database}; see docs/vulnerabilities.md.`,
    '',
  ].join('\n');
}

const WORDS: Readonly<Record<Availability['available'], string>> = {
  yes: 'yes',
  no: 'no',
  unknown: 'cannot be told',
};
