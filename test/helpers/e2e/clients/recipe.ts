/**
 * Pages of docs/clients as tests: the ```sh blocks of a page, in order, are one run of a shell. A block may begin with
 * marks, which say in which case it does something else than work:
 *
 *     # append: refused                 the store must answer AccessDenied
 *     # append: left out                is not run
 *     # sse-kms: fails: some text       must fail and print the text
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../../../operations/lib/project-root';

export const CONDITIONS = ['append', 'write', 'sse-s3', 'sse-kms'] as const;
type Condition = (typeof CONDITIONS)[number];

type Outcome = { readonly kind: 'works' | 'refused' | 'left out' } | { readonly kind: 'fails'; readonly text: string };

export interface Block {
  /** As it is written, marks included. */
  readonly script: string;
  readonly marks: readonly { readonly condition: Condition; readonly outcome: Outcome }[];
}

const PAGES = path.join(projectRoot, 'docs', 'clients');
/** How a page begins that no test runs. */
export const NOT_RUN = '**Not run by the tests of this project.**';

/** Names of the pages, without that of the folder itself. */
export function recipePages(): string[] {
  return readdirSync(PAGES)
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .map((file) => path.basename(file, '.md'));
}

export function readRecipe(page: string): string {
  return readFileSync(path.join(PAGES, `${page}.md`), 'utf8');
}

/** @throws Error about a mark that has no meaning */
export function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, script = '']) => {
    const lines = script.split('\n');
    const end = lines.findIndex((line) => !MARK.test(line));
    return { script, marks: lines.slice(0, end).map(markOf) };
  });
}

/** A word that no test knows is no mark but a mistake, where it looks like one. */
const MARK = /^# [\w-]+: ?(?:refused|left out|fails)/;

function markOf(line: string): Block['marks'][number] {
  const [, word = '', kind = '', text = ''] = /^# ([\w-]+): (refused|left out|fails)(?:: (.+))?$/.exec(line) ?? [];
  const condition = CONDITIONS.find((known) => known === word);
  if (condition === undefined || (kind === 'fails') !== (text !== '')) throw new Error(`no mark: ${line}`);
  if (kind === 'fails') return { condition, outcome: { kind, text } };
  return { condition, outcome: { kind: kind === 'refused' ? 'refused' : 'left out' } };
}

/** What a block does in a case: the first mark that fits says it. */
export function outcomeOf({ marks }: Block, conditions: readonly Condition[]): Outcome {
  return marks.find(({ condition }) => conditions.includes(condition))?.outcome ?? { kind: 'works' };
}

/** One script of bash. It ends at the first block that fails and should not; what else fails leaves `failed-NUMBER`. */
export function scriptOf(blocks: readonly Block[], conditions: readonly Condition[]): string {
  const parts = blocks.map((block, index) => {
    const { kind } = outcomeOf(block, conditions);
    if (kind === 'left out') return '';
    const begin = `echo "— block ${index + 1}" >&2\n`;
    if (kind === 'works') return `${begin}${block.script}`;
    return `${begin}set +e\n(\nset -e\n${block.script}) > printed-${index + 1} 2>&1\n[ $? -eq 0 ] || touch failed-${index + 1}\nset -e\n`;
  });
  return `set -euo pipefail\n${parts.join('')}`;
}

/** s3fs can only pass on an error of the file system. */
const REFUSED = /Access ?Denied|Operation not permitted/i;

/** What is wrong with the blocks that must fail, after the script ran in a folder. */
export function wrongFailures(
  blocks: readonly Block[],
  conditions: readonly Condition[],
  { exists, read }: { exists: (file: string) => boolean; read: (file: string) => string },
): string[] {
  return blocks.flatMap((block, index) => {
    const outcome = outcomeOf(block, conditions);
    if (outcome.kind === 'works' || outcome.kind === 'left out') return [];
    const printed = read(`printed-${index + 1}`);
    if (!exists(`failed-${index + 1}`)) return [`block ${index + 1} worked, and must not:\n${printed}`];
    const told = outcome.kind === 'fails' ? printed.includes(outcome.text) : REFUSED.test(printed);
    return told ? [] : [`block ${index + 1} failed for another reason:\n${printed}`];
  });
}
