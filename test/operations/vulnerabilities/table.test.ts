import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../../operations/lib/project-root';
import { catalogue } from '../../../operations/checks/catalogue';
import { PINNED_GO } from '../../../operations/toolchain/go/go-toolchain';
import { problemsOf, readAnswers, rows } from '../../../operations/vulnerabilities/answers';
import { type Findings, pinsOf, readFindings, SHIPPED } from '../../../operations/vulnerabilities/findings';
import { vexDocument } from '../../../operations/vulnerabilities/vex';

const findings = readFindings();
const answers = readAnswers();

/** The same findings, with another list for MinIO. */
function withMinio(
  change: (list: Findings['programs'][string]['findings']) => Findings['programs'][string]['findings'],
): Findings {
  const minio = findings.programs.minio;
  if (minio === undefined) throw new Error('MinIO was not looked up');
  return { ...findings, programs: { ...findings.programs, minio: { ...minio, findings: change(minio.findings) } } };
}

describe('the table of vulnerabilities', () => {
  test('is about exactly the programs that are built, with their pins and their Go', () => {
    expect(Object.keys(findings.programs).sort()).toEqual(SHIPPED.map(({ name }) => name).sort());
    // another pin: run npm run vulnerabilities
    for (const program of SHIPPED)
      expect([program.name, findings.programs[program.name]?.pins]).toEqual([program.name, pinsOf(program)]);
    expect(findings.go).toBe(PINNED_GO);
  });

  test('every finding has one answer, and every answer a finding', () => {
    expect(problemsOf(findings, answers)).toEqual([]);
  });

  test('a finding without an answer, an answer without a finding and a second answer are named', () => {
    const [first] = answers.findings;
    const [id = ''] = first?.ids ?? [];
    expect(
      problemsOf(
        withMinio((list) => [...list, { ...list[0], id: 'GO-2099-1' } as (typeof list)[number]]),
        answers,
      ),
    ).toEqual(['minio GO-2099-1: found, but has no answer']);
    expect(
      problemsOf(
        withMinio((list) => list.filter((finding) => finding.id !== id)),
        answers,
      ),
    ).toEqual([`minio ${id}: answered, but not found any more`]);
    const twice = { ...answers, findings: [...answers.findings, ...answers.findings.slice(0, 1)] };
    expect(problemsOf(findings, twice)).toContain(`minio ${id}: answered 2 times`);
  });

  test('what is said to show a row is there', () => {
    const checks = catalogue.map((check) => check.id);
    for (const { answer } of rows()) {
      for (const shown of (answer.shownBy ?? '').split(', ').filter((item) => item !== '')) {
        const known = checks.includes(shown) || existsSync(path.join(projectRoot, shown));
        expect([shown, known]).toEqual([shown, true]);
      }
    }
  });

  test('the page is what the table says', () => {
    const check = [path.join('scripts', 'lib', 'run.cjs'), path.join('scripts', 'vulnerabilities.ts'), '--check'];
    const { status, stderr } = spawnSync(process.execPath, check, { cwd: projectRoot, encoding: 'utf8' });
    expect([stderr, status]).toEqual(['', 0]);
  });

  test('the OpenVEX document has a statement for each row, with what its status demands', () => {
    const { statements, timestamp } = vexDocument();
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(statements).toHaveLength(rows().length);
    for (const statement of statements) {
      expect(statement.products[0]?.['@id']).toMatch(/^pkg:golang\/.+@v/);
      if (statement.status === 'affected') expect(statement.action_statement).toBeTruthy();
      else
        expect([statement.justification, statement.impact_statement]).toEqual([
          expect.stringMatching(/_/),
          expect.stringMatching(/ /),
        ]);
    }
  });
});
