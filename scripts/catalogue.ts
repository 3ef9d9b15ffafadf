/** `npm run catalogue`: writes the catalogue of the checks for people who read the documentation. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../config/toolchain';
import { catalogue, isDisruptive } from '../operations/checks/catalogue';
import type { Check } from '../operations/checks/check';
import { ExternalError, messageOf, UsageError } from '../operations/errors';
import { EXIT_CODES_HELP, main } from './lib/command-line';

export const CATALOGUE_FILE = path.join(projectRoot, 'docs', 'checks-catalogue.md');

const HELP = `Usage: npm run catalogue [-- --check]

Writes docs/checks-catalogue.md from the checks in operations/checks/catalogue.ts.

  --check      write nothing; fail when the file is not what would be written
  -h, --help   this text

${EXIT_CODES_HELP}
`;

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

if (require.main === module) {
  void main((args) => {
    let check = false;
    try {
      const { values } = parseArgs({
        args,
        options: { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
      });
      if (values.help) {
        process.stdout.write(HELP);
        return Promise.resolve();
      }
      check = values.check ?? false;
    } catch (error) {
      throw new UsageError(messageOf(error), 'See npm run catalogue -- --help.');
    }
    if (!check) writeFileSync(CATALOGUE_FILE, cataloguePage());
    else if (readFileSync(CATALOGUE_FILE, 'utf8') !== cataloguePage()) {
      throw new ExternalError(`${CATALOGUE_FILE} is not what the catalogue says`, 'Run: npm run catalogue');
    }
    return Promise.resolve();
  });
}
