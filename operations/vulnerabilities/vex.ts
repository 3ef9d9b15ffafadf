/** The table of vulnerabilities as an OpenVEX document (https://github.com/openvex/spec, v0.2.0). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Row, rows } from './answers';
import { type Findings, readFindings, SHIPPED } from './findings';

interface VexStatement {
  readonly vulnerability: { readonly name: string; readonly aliases: readonly string[]; readonly description: string };
  readonly products: readonly { readonly '@id': string }[];
  readonly status: 'affected' | 'not_affected';
  readonly justification?: string;
  readonly impact_statement?: string;
  readonly action_statement?: string;
}

export interface VexDocument {
  readonly '@context': 'https://openvex.dev/ns/v0.2.0';
  readonly '@id': string;
  readonly author: string;
  readonly timestamp: string;
  readonly version: 1;
  readonly statements: readonly VexStatement[];
}

/** Equal tables make equal documents: its time is that of the database. */
export function vexDocument(findings: Findings = readFindings(), table: readonly Row[] = rows()): VexDocument {
  const statements = table.map(statement);
  const digest = createHash('sha256')
    .update(JSON.stringify([findings.database, statements]))
    .digest('hex');
  return {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': `https://openvex.dev/docs/encrypted-backup-storage/vex-${digest.slice(0, 32)}`,
    author: 'encrypted-backup-storage',
    timestamp: timeOf(findings.database),
    version: 1,
    statements,
  };
}

function statement({ program, id, aliases, summary, answer }: Row): VexStatement {
  return {
    vulnerability: { name: id, aliases, description: summary },
    products: [{ '@id': packageUrl(program) }],
    status: answer.status,
    ...(answer.status === 'affected'
      ? { action_statement: answer.answer }
      : { justification: answer.justification, impact_statement: answer.answer }),
  };
}

/** The package URL of a shipped program, such as `pkg:golang/github.com/minio/kes@v0.24.0`. */
function packageUrl(name: string): string {
  const program = SHIPPED.find((candidate) => candidate.name === name);
  if (program === undefined) throw new Error(`no program ${name} is shipped`);
  const required = readFileSync(path.join(program.module, 'go.mod'), 'utf8');
  for (const [, module = '', version = ''] of required.matchAll(/^\s*(?:require\s+)?(\S+) (v\S+)/gm)) {
    if (program.package === module || program.package.startsWith(`${module}/`))
      return `pkg:golang/${module}@${version}`;
  }
  throw new Error(`${program.module}/go.mod does not require ${program.package}`);
}

/** Pseudo-versions hold a time: v0.0.0-20261105234957-e22db6528018. */
function timeOf(version: string): string {
  const match = /-(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)-/.exec(version);
  if (match === null) throw new Error(`the version of the database has no time: ${version}`);
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] = match;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
}
