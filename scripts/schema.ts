/** `npm run schema`: writes the JSON Schema of environment files, from which editors complete and check them. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { environmentSchema } from '../config/environment';
import { projectRoot } from '../config/toolchain';
import { ExternalError, messageOf, UsageError } from '../operations/errors';
import { EXIT_CODES_HELP, main } from './lib/command-line';

/** The generated file; `environments/*.yaml` name it in their first line. */
export const SCHEMA_FILE = path.join(projectRoot, 'config', 'environment.schema.json');

const HELP = `Usage: npm run schema [-- --check]

Writes config/environment.schema.json from the schema in config/environment.ts.

  --check      write nothing; fail when the file is not what would be written
  -h, --help   this text

${EXIT_CODES_HELP}
`;

/** The JSON Schema of what a person writes: defaults are optional, rules between settings are not in it. */
export function environmentJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(environmentSchema, { io: 'input' });
  return {
    $schema,
    title: 'Environment of encrypted-backup-storage',
    description: 'One deployment. Generated from config/environment.ts by `npm run schema`; do not edit.',
    ...schema,
  };
}

async function formatted(): Promise<string> {
  // only where it is needed: the tests import this file, and prettier is an ES module
  const { format, resolveConfig } = await import('prettier');
  const options = await resolveConfig(SCHEMA_FILE);
  return format(JSON.stringify(environmentJsonSchema()), { ...options, parser: 'json' });
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
  const wanted = await formatted();
  if (check !== true) {
    writeFileSync(SCHEMA_FILE, wanted);
    process.stderr.write(`wrote ${SCHEMA_FILE}\n`);
  } else if (readFileSync(SCHEMA_FILE, 'utf8') !== wanted) {
    throw new ExternalError(`${SCHEMA_FILE} is not what config/environment.ts says`, 'Run: npm run schema');
  }
}

if (require.main === module) void main(run);
