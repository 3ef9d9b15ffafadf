/** `npm run schema`: writes the JSON Schemas of what people write and of what programs read. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { ExternalError, messageOf, UsageError } from '../operations/lib/errors';
import { EXIT_CODES_HELP, main } from './lib/command-line';
import { SCHEMAS } from './lib/pages/json-schemas';

const HELP = `Usage: npm run schema [-- --check]

Writes config/environment.schema.json from the schema in config/environment.ts, docs/checks-report.schema.json from the
one in operations/checks/report/model.ts, and docs/plan-report.schema.json from the one in operations/terraform/plan/report.ts.

  --check      write nothing; fail when a file is not what would be written
  -h, --help   this text

${EXIT_CODES_HELP}
`;

async function formatted(file: string, schema: Record<string, unknown>): Promise<string> {
  const options = await resolveConfig(file);
  return format(JSON.stringify(schema), { ...options, parser: 'json' });
}

function parseArguments(args: string[]): { check?: boolean; help?: boolean } {
  try {
    const options = { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError(messageOf(error), 'See npm run schema -- --help.');
  }
}

async function run(args: string[]): Promise<void> {
  const { check, help } = parseArguments(args);
  if (help === true) {
    process.stdout.write(HELP);
    return;
  }
  for (const { file, source, schema } of SCHEMAS) {
    const wanted = await formatted(file, schema());
    if (check !== true) {
      writeFileSync(file, wanted);
      process.stderr.write(`wrote ${file}\n`);
    } else if (readFileSync(file, 'utf8') !== wanted) {
      throw new ExternalError(`${file} is not what ${source} says`, 'Run: npm run schema');
    }
  }
}

void main(run);
