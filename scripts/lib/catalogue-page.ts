/** The catalogue of the checks as a page for people. */
import path from 'node:path';
import { projectRoot } from '../../config/toolchain';
import { catalogue, isDisruptive } from '../../operations/checks/catalogue';
import type { Check } from '../../operations/checks/check';

export const CATALOGUE_FILE = path.join(projectRoot, 'docs', 'checks-catalogue.md');

const HEAD = `# Catalogue of the post-deploy checks

Generated from operations/checks/catalogue.ts by \`npm run catalogue\`; do not edit. What the columns mean is in
[checks.md](checks.md).

| Id | Severity | Runs | Proves | Does not prove |
| --- | --- | --- | --- | --- |
`;

/** The page as it must be. */
export function cataloguePage(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const rows = catalogue.map((check) => {
    const { id, severity, proves, doesNotProve } = check;
    return `| \`${id}\` | ${severity} | ${runsWhere(check)} | ${cell(proves)} | ${cell(doesNotProve)} |`;
  });
  return `${HEAD}${rows.join('\n')}\n`;
}

function runsWhere(check: Check): string {
  if (check.from === 'outside') return 'everywhere';
  return isDisruptive(check) ? 'with `--disruptive`' : 'on a deployment';
}
