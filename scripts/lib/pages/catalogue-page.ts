/** The catalogue of the checks as a page for people. */
import path from 'node:path';
import { projectRoot } from '../../../operations/lib/project-root';
import { catalogue, isDisruptive } from '../../../operations/checks/catalogue';
import type { Check } from '../../../operations/checks/check';

export const CATALOGUE_FILE = path.join(projectRoot, 'docs', 'checks-catalogue.md');

const HEAD = `# Catalogue of the post-deploy checks

Generated from operations/checks/catalogue.ts by \`npm run catalogue\`; do not edit. [checks.md](checks.md) explains
severities.
`;

/** The page, before the formatter wraps it. */
export function cataloguePage(): string {
  const parts = catalogue.map((check) => {
    const { id, severity, proves, doesNotProve } = check;
    return [
      `## \`${id}\``,
      '',
      `- Severity: ${severity}. Runs: ${runsWhere(check)}.`,
      `- Proves: ${proves}`,
      `- Does not prove: ${doesNotProve}`,
      '',
    ].join('\n');
  });
  return [HEAD, ...parts].join('\n');
}

function runsWhere(check: Check): string {
  if (check.from === 'outside') return 'everywhere';
  return isDisruptive(check) ? 'with `--disruptive`' : 'on a deployment';
}
