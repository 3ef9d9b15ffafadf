/** `npm run catalogue`: writes the catalogue of the checks for people who read the documentation. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ExternalError, messageOf, UsageError } from '../operations/lib/errors';
import { CATALOGUE_FILE, cataloguePage } from './lib/pages/catalogue-page';
import { EXIT_CODES_HELP, main } from './lib/command-line';
import { formatted } from './lib/pages/formatted';

const HELP = `Usage: npm run catalogue [-- --check]

Writes docs/checks-catalogue.md from the checks in operations/checks/catalogue.ts.

  --check      write nothing; fail when the file is not what would be written
  -h, --help   this text

${EXIT_CODES_HELP}
`;

void main(async (args) => {
  let check = false;
  try {
    const { values } = parseArgs({
      args,
      options: { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help) {
      process.stdout.write(HELP);
      return;
    }
    check = values.check ?? false;
  } catch (error) {
    throw new UsageError(messageOf(error), 'See npm run catalogue -- --help.');
  }
  const page = await formatted(CATALOGUE_FILE, cataloguePage());
  if (!check) writeFileSync(CATALOGUE_FILE, page);
  else if (readFileSync(CATALOGUE_FILE, 'utf8') !== page) {
    throw new ExternalError(`${CATALOGUE_FILE} is not what the catalogue says`, 'Run: npm run catalogue');
  }
});
