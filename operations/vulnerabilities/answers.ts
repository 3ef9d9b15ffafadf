/** What we say to each known vulnerability: one row for each, checked against the findings by a test. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { projectRoot } from '../lib/project-root';
import { type Finding, type Findings, readFindings, type Reach } from './findings';

const ANSWERS_FILE = path.join(projectRoot, 'toolchain', 'vulnerabilities', 'answers.yaml');

/** The words of OpenVEX v0.2.0 for why a product is not affected. */
const justification = z.enum([
  'component_not_present',
  'vulnerable_code_not_present',
  'vulnerable_code_not_in_execute_path',
  'vulnerable_code_cannot_be_controlled_by_adversary',
  'inline_mitigations_already_exist',
]);

const answer = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('not_affected'),
    justification,
    /** What closes it, in a sentence. */
    answer: z.string().min(20),
    /** Check of the catalogue or file of a test that shows it. @default - it follows from the sources */
    shownBy: z.string().optional(),
  }),
  z.strictObject({
    status: z.literal('affected'),
    /** What limits it, and what an operator does. */
    answer: z.string().min(20),
    shownBy: z.string().optional(),
  }),
]);
export type Answer = z.infer<typeof answer>;

const answersSchema = z.strictObject({
  /** Answers to what govulncheck finds: for one program, and one or more ids. */
  findings: z.array(z.strictObject({ programs: z.array(z.string()).min(1), ids: z.array(z.string()).min(1), answer })),
  /** What the Go vulnerability database does not list. */
  own: z.array(
    z.strictObject({
      id: z.string(),
      aliases: z.array(z.string()).default([]),
      program: z.string(),
      summary: z.string(),
      answer,
    }),
  ),
});
export type Answers = z.infer<typeof answersSchema>;

export function readAnswers(): Answers {
  return answersSchema.parse(parse(readFileSync(ANSWERS_FILE, 'utf8'), { merge: true }));
}

/** One vulnerability of one program, with what is said to it. */
export interface Row {
  readonly program: string;
  readonly id: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  /** `listed`: found by us or by an advisory outside of the database. */
  readonly reach: Reach | 'listed';
  /** Module and version that have it. */
  readonly in: string;
  readonly answer: Answer;
}

/** What keeps the table from being true. Empty: it is. */
export function problemsOf(findings: Findings, answers: Answers): string[] {
  const problems: string[] = [];
  const wanted = new Set<string>();
  for (const [program, { findings: found }] of Object.entries(findings.programs)) {
    for (const { id } of found) wanted.add(`${program} ${id}`);
  }
  const given = new Map<string, number>();
  for (const { programs, ids } of answers.findings) {
    for (const program of programs)
      for (const id of ids) given.set(`${program} ${id}`, (given.get(`${program} ${id}`) ?? 0) + 1);
  }
  for (const key of wanted) if (!given.has(key)) problems.push(`${key}: found, but has no answer`);
  for (const [key, count] of given) {
    if (!wanted.has(key)) problems.push(`${key}: answered, but not found any more`);
    if (count > 1) problems.push(`${key}: answered ${count} times`);
  }
  return problems;
}

/** Every row of the table: what was found, by program, then what no database lists. */
export function rows(findings: Findings = readFindings(), answers: Answers = readAnswers()): Row[] {
  const found = Object.entries(findings.programs).flatMap(([program, { findings: list }]) =>
    list.map((finding) => rowOf(program, finding, answers)),
  );
  const own = answers.own.map(({ id, aliases, program, summary, answer: said }): Row => ({
    program,
    id,
    aliases,
    summary,
    reach: 'listed',
    in: program,
    answer: said,
  }));
  return [...found, ...own];
}

function rowOf(program: string, finding: Finding, answers: Answers): Row {
  const { id, aliases, summary, module, version, reach } = finding;
  const said = answers.findings.find(({ programs, ids }) => programs.includes(program) && ids.includes(id));
  if (said === undefined) throw new Error(`${id} of ${program} has no answer in ${ANSWERS_FILE}`);
  return { program, id, aliases, summary, reach, in: `${module} ${version}`, answer: said.answer };
}
