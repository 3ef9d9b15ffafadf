import type { Program } from '../../../config/docker/image-source';
import type { Availability } from '../../../operations/toolchain/availability';
import { PINNED_GO } from '../../../operations/toolchain/go/go-toolchain';
import { describeImage, PROGRAM_NAMES } from '../../../operations/toolchain/version-changes';
import type { VersionsReport } from '../../../operations/toolchain/versions-report';

export function versionsText(report: VersionsReport): string {
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
