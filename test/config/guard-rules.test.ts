import { readFileSync } from 'node:fs';
import path from 'node:path';
import { GUARD_CORRECTIONS, GUARD_RULES } from '../../config/guard-rules';
import { projectRoot } from '../../operations/lib/project-root';

test('the table has the rules of the guard, and no other', () => {
  const source = path.join(projectRoot, 'toolchain/images/minio/guard/internal/ebsguard/rules.go');
  const ids = [...readFileSync(source, 'utf8').matchAll(/^\t\w+ +Rule = "([a-z-]+)"$/gm)].map(([, id]) => id);
  expect(ids.length).toBeGreaterThan(10);
  expect(GUARD_RULES.map(({ id }) => id)).toEqual(ids);
});

test('docs/guard.md says of each rule and correction what it is', () => {
  const page = readFileSync(path.join(projectRoot, 'docs/guard.md'), 'utf8');
  const [said = ''] = page.split('## What the checks try');
  const listed = [...said.matchAll(/^- `([a-z-]+)`:/gm)].map(([, id]) => id);
  expect(listed).toEqual([...GUARD_RULES, ...GUARD_CORRECTIONS].map(({ id }) => id));
});
