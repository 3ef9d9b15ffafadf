/** The pages of docs/clients, and how the end-to-end tests read them. */
import { isConfiguredProgram } from '../scripts/lib/pages/client-configuration';
import {
  blocksOf,
  NOT_RUN,
  outcomeOf,
  readRecipe,
  recipePages,
  scriptOf,
  wrongFailures,
} from './helpers/e2e/clients/recipe';

const run = recipePages().filter((page) => !readRecipe(page).includes(NOT_RUN));
const notRun = recipePages().filter((page) => !run.includes(page));

test.each(run)('%s.md has a configuration and blocks that back up, list, restore and prune', (page) => {
  expect(isConfiguredProgram(page)).toBe(true);
  const text = readRecipe(page);
  expect(blocksOf(text).length).toBeGreaterThanOrEqual(4);
  for (const word of ['back up', 'list', 'restore', 'prune'])
    expect(text.toLowerCase()).toMatch(new RegExp(`^## .*${word}`, 'm'));
  expect(text).toMatch(/# append: refused|grep AccessDenied/);
});

test.each(notRun)('%s.md, which no test runs, has nothing that looks as if one did', (page) => {
  expect(blocksOf(readRecipe(page))).toEqual([]);
});

test('the index names every page', () => {
  const index = readRecipe('README');
  for (const page of recipePages()) expect(index).toContain(`(${page}.md)`);
});

const PAGE = `
\`\`\`sh
echo begins
\`\`\`

\`\`\`sh
# append: refused
# sse-kms: fails: corrupted
prune
\`\`\`

\`\`\`sh
# write: left out
older versions
\`\`\`

\`\`\`console
$ never run
\`\`\`
`;

test('blocks are read with their marks', () => {
  const blocks = blocksOf(PAGE);
  expect(blocks.map(({ script }) => script.split('\n').at(-2))).toEqual(['echo begins', 'prune', 'older versions']);
  const outcomes = (...conditions: Parameters<typeof outcomeOf>[1]) =>
    blocks.map((block) => outcomeOf(block, conditions).kind);
  expect(outcomes('append', 'sse-kms')).toEqual(['works', 'refused', 'works']);
  expect(outcomes('write', 'sse-kms')).toEqual(['works', 'fails', 'left out']);
  expect(outcomes('write', 'sse-s3')).toEqual(['works', 'works', 'left out']);
});

test('blocks run as they are written', () => {
  expect(scriptOf(blocksOf(PAGE), ['write', 'sse-s3'])).toBe(`set -euo pipefail
echo "— block 1" >&2
echo begins
echo "— block 2" >&2
# append: refused
# sse-kms: fails: corrupted
prune
`);
});

test.each(['# append: refused: why', '# sse-kms: fails', '# reader: refused', '# append: left out, too'])(
  'what looks like a mark and is none is refused: %s',
  (line) => {
    expect(() => blocksOf(`\`\`\`sh\n${line}\ntrue\n\`\`\`\n`)).toThrow(`no mark: ${line}`);
  },
);

test.each([
  [true, 'AccessDenied', []],
  [true, 'no such host', ['block 2 failed for another reason:\nno such host']],
  [false, 'done', ['block 2 worked, and must not:\ndone']],
])('a block that must be refused, and failed: %s, saying %s', (failed, printed, problems) => {
  const files = { exists: () => failed, read: () => printed };
  expect(wrongFailures(blocksOf(PAGE), ['append', 'sse-s3'], files)).toEqual(problems);
});
