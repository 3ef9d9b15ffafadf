/**
 * Finds, reads and validates an environment file, and reports everything that is wrong with it at once.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Document, isCollection, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { messageOf, UsageError } from '../operations/lib/errors';
import type { Environment } from './environment';
import { environmentOf } from './settings';
import { projectRoot } from '../operations/lib/project-root';

/** An environment and where it came from. */
export interface EnvironmentFile<Declared extends Environment = Environment> {
  readonly environment: Declared;
  /** Absolute path of the environment file. */
  readonly file: string;
  /** How the commands that are advised name the environment: as it was typed, quoted for a shell where that is needed. */
  readonly argument: string;
}

/** The environment that is meant where none is named. */
const DEFAULT_ENVIRONMENT = 'local';

/** Absolute path of the file that `nameOrPath` means: a name in `environments/`, or a path to a YAML file. */
export function environmentFile(nameOrPath: string): string {
  const isPath = nameOrPath.includes('/') || /\.ya?ml$/.test(nameOrPath);
  return isPath ? path.resolve(nameOrPath) : path.join(projectRoot, 'environments', `${nameOrPath}.yaml`);
}

/**
 * Reads an environment file.
 *
 * @param nameOrPath default: `EBS_ENVIRONMENT`, or `local`
 * @throws UsageError that lists every problem of the file with path, rule, value and fix
 */
export function readEnvironment(
  nameOrPath: string = process.env.EBS_ENVIRONMENT ?? DEFAULT_ENVIRONMENT,
): EnvironmentFile {
  const file = environmentFile(nameOrPath);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(
      `environment file ${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
      'name an environment of environments/, or give the path of a YAML file',
    );
  }
  const environment = parseEnvironment(text, path.basename(file));
  return { environment, file, argument: argumentFor(nameOrPath, file) };
}

/** A deploy hands its operations the absolute path: a file of `environments/` is named as people do. */
export function argumentFor(typed: string, file: string = environmentFile(typed)): string {
  const { dir, name } = path.parse(file);
  const isOurs = path.isAbsolute(typed) && dir === path.join(projectRoot, 'environments') && file.endsWith('.yaml');
  const argument = isOurs ? name : typed;
  return /^[\w./@:+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`;
}

/** The same for an operation, which knows no more of its environment than the name that a construct gave it. */
export function argumentOfOperation(name: string, env: NodeJS.ProcessEnv = process.env): string {
  return env.EBS_ENVIRONMENT === undefined ? name : argumentFor(env.EBS_ENVIRONMENT);
}

/**
 * Parses the text of an environment file.
 *
 * @param label how messages call the file
 * @throws UsageError that lists every problem
 */
export function parseEnvironment(text: string, label: string): Environment {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const { line, col } = lines.linePos(error.pos[0]);
      return `  line ${line}, column ${col}: ${error.message}`;
    });
    throw new UsageError([`${label} is not YAML:`, ...problems].join('\n'));
  }
  let raw: unknown;
  try {
    raw = document.toJS();
  } catch (error) {
    // an alias without its anchor, or too many aliases
    throw new UsageError(`${label} is not YAML:\n  ${messageOf(error)}`);
  }
  return environmentOf(raw, label, (path) => lineOf(document, lines, path));
}

/** `line 3: `, of what a path leads to or, where that is not in the file, of what it would be in; `` for the file itself. */
function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): string {
  let line: number | undefined;
  let node: unknown = document.contents;
  for (const part of path) {
    // as the name of a setting stands before its value
    const key = isMap(node)
      ? node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === part)?.key
      : undefined;
    node = isCollection(node) ? node.get(part, true) : undefined;
    const [start] = (isNode(key) ? key.range : isNode(node) ? node.range : undefined) ?? [];
    if (start === undefined) break;
    line = lines.linePos(start).line;
  }
  return line === undefined ? '' : `line ${line}: `;
}
