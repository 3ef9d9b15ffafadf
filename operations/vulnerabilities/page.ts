/** `docs/vulnerabilities.md`: what is known against exactly what is shipped, and what is said to it. */
import path from 'node:path';
import { projectRoot } from '../lib/project-root';
import { type Row, rows } from './answers';
import { type Findings, readFindings } from './findings';

export const PAGE_FILE = path.join(projectRoot, 'docs', 'vulnerabilities.md');

const head = ({ database, go }: Findings): string => `# Known vulnerabilities

Generated from toolchain/vulnerabilities/ by \`npm run vulnerabilities\`; do not edit.

Looked up by govulncheck in golang.org/x/vulndb ${database}, over the sources of the programs that are built here with
Go ${go}. Images from a registry hold other builds: this page does not speak of them.

- \`called\`: a path of calls leads to the vulnerable function.
- \`imported\`: the package is in the program; no such path was found, or none was looked for.
- \`required\`: only the list of modules names it.
- \`listed\`: no entry in that database; from advisories and our own tests.

\`./scripts/versions --vex\` prints the same as an OpenVEX document, \`--sbom\` what is in the programs (CycloneDX).
`;

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ').trim();

function entry({ id, aliases, summary, reach, in: where, answer }: Row): string {
  const names = [id, ...aliases].join(', ');
  const status =
    answer.status === 'affected' ? '**affected**' : `not affected (${answer.justification.replaceAll('_', ' ')})`;
  return [
    `### ${names}`,
    '',
    cell(summary),
    '',
    `- In: ${where}, ${reach}`,
    `- Status: ${status}`,
    `- ${cell(answer.answer)}`,
    ...(answer.shownBy === undefined ? [] : [`- Shown by: ${cell(answer.shownBy)}`]),
    '',
  ].join('\n');
}

/** The page as it must be. */
export function vulnerabilitiesPage(findings: Findings = readFindings(), table: readonly Row[] = rows()): string {
  const programs = [...new Set(table.map(({ program }) => program))];
  const parts = programs.map((program) => {
    const own = table.filter((row) => row.program === program);
    const affected = own.filter(({ answer }) => answer.status === 'affected').length;
    return `## ${program}\n\n${own.length} known, ${affected} of them affect it.\n\n${own.map(entry).join('\n')}`;
  });
  return `${head(findings)}\n${parts.join('\n')}`;
}
