/** What govulncheck says about exactly the programs that are shipped: typed, and read back from the repository. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../lib/project-root';
import { type GoProgram, kes, mc, minio, openbao, vault } from '../toolchain/go/programs';

/** The programs whose vulnerabilities are looked up: everything in an image that is ours. */
export const SHIPPED: readonly GoProgram[] = [minio, kes, vault, openbao, mc];

/** Written by `npm run vulnerabilities`. */
export const FINDINGS_FILE = path.join(projectRoot, 'toolchain', 'vulnerabilities', 'findings.json');

/**
 * How near a program is to the vulnerable code (golang.org/x/vuln, internal/govulncheck, Finding.Trace):
 *
 * - `called`: a path of calls leads to a vulnerable function
 * - `imported`: the package is in the program; no call was found, or calls were not looked for
 * - `required`: only the module is in the list of requirements; no package of it with the flaw is in the program
 */
const reach = z.enum(['called', 'imported', 'required']);
export type Reach = z.infer<typeof reach>;

const finding = z.strictObject({
  /** Id in the Go vulnerability database, such as `GO-2026-5437`. */
  id: z.string().regex(/^GO-\d{4}-\d+$/),
  aliases: z.array(z.string()),
  summary: z.string(),
  module: z.string(),
  version: z.string(),
  /** First version without it. @default - there is none */
  fixed: z.string().optional(),
  reach,
});
export type Finding = z.infer<typeof finding>;

const findingsSchema = z.strictObject({
  /** Version of golang.org/x/vulndb; its date is in it. */
  database: z.string(),
  /** Go that the programs are built with. */
  go: z.string(),
  programs: z.record(z.string(), z.strictObject({ pins: z.string(), findings: z.array(finding) })),
});
export type Findings = z.infer<typeof findingsSchema>;

/** SHA-256 of what pins a program: another one, and the findings are of another program. */
export function pinsOf(program: GoProgram): string {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(path.join(program.module, file)));
  return hash.digest('hex');
}

export function readFindings(): Findings {
  return findingsSchema.parse(JSON.parse(readFileSync(FINDINGS_FILE, 'utf8')));
}

/** The part of govulncheck's JSON stream (protocol v1.0.0) that is used. */
const message = z.object({
  config: z.object({ go_version: z.string() }).optional(),
  osv: z.object({ id: z.string(), aliases: z.array(z.string()).optional(), summary: z.string().optional() }).optional(),
  finding: z
    .object({
      osv: z.string(),
      fixed_version: z.string().optional(),
      trace: z
        .array(
          z.object({
            module: z.string(),
            version: z.string().optional(),
            package: z.string().optional(),
            function: z.string().optional(),
          }),
        )
        .min(1),
    })
    .optional(),
});

const RANK: Readonly<Record<Reach, number>> = { required: 0, imported: 1, called: 2 };

/**
 * One finding for each id and module, at its nearest.
 *
 * @param stream JSON objects one after the other, as `govulncheck -format json` prints them
 */
export function parseFindings(stream: string): Finding[] {
  const texts = new Map<string, { aliases: string[]; summary: string }>();
  const found = new Map<string, Finding>();
  for (const text of objectsOf(stream)) {
    const { osv, finding: seen } = message.parse(JSON.parse(text));
    if (osv !== undefined) texts.set(osv.id, { aliases: osv.aliases ?? [], summary: osv.summary ?? '' });
    const [at] = seen?.trace ?? [];
    if (seen === undefined || at === undefined) continue;
    const near: Reach = at.function !== undefined ? 'called' : at.package !== undefined ? 'imported' : 'required';
    const key = `${seen.osv} ${at.module}`;
    const before = found.get(key);
    if (before !== undefined && RANK[before.reach] >= RANK[near]) continue;
    found.set(key, {
      id: seen.osv,
      aliases: texts.get(seen.osv)?.aliases ?? [],
      summary: texts.get(seen.osv)?.summary ?? '',
      module: at.module,
      version: at.version ?? '',
      ...(seen.fixed_version === undefined ? {} : { fixed: seen.fixed_version }),
      reach: near,
    });
  }
  return [...found.values()].sort((a, b) => a.id.localeCompare(b.id) || a.module.localeCompare(b.module));
}

/** govulncheck indents by two spaces: an object ends at a brace in the first column. */
function objectsOf(stream: string): string[] {
  return stream
    .split(/^\}$/m)
    .map((piece) => piece.trim())
    .filter((piece) => piece !== '')
    .map((piece) => `${piece}}`);
}
