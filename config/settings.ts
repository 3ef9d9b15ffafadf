/** Looks at the settings of a deployment, and reports everything that is wrong with them at once. */
import type { z } from 'zod';
import { UsageError } from '../operations/lib/errors';
import type { Environment } from './environment';
import { environmentSchema } from './environment-schema';
import { nearest } from './spelling';
import { unknownSetting } from './unknown-setting';

/**
 * The settings with every default filled in.
 *
 * @param raw as they are written
 * @param label how messages call what they are written in
 * @param whereIs how messages begin that are about a setting, such as `line 3: `. Default: with the setting
 * @throws UsageError that lists every problem
 */
export function environmentOf(
  raw: unknown,
  label: string,
  whereIs: (path: readonly PropertyKey[]) => string = () => '',
): Environment {
  const result = environmentSchema.safeParse(raw ?? {});
  if (result.success) return result.data;
  const single = result.error.issues.filter((issue) => !isCrossField(issue));
  const issues = [...single, ...crossFieldIssues(result.error.issues, single, raw)];
  const problems = issues
    .flatMap((issue) => ofMeantOption(issue, raw))
    .flatMap((issue) => describeIssue(issue, raw).map(({ path, text: said }) => `${whereIs(path)}${said}`));
  throw new UsageError(
    [
      `${label} has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:`,
      ...problems.map((problem) => `  ${problem}`),
    ].join('\n'),
  );
}

/**
 * What the rules between settings say. zod asks them only when every setting has its type; otherwise the wrong settings
 * are taken away, so that their defaults stand in, and the rules are asked again. A rule about a wrong setting has
 * nothing to say.
 */
function crossFieldIssues(
  all: readonly z.core.$ZodIssue[],
  single: readonly z.core.$ZodIssue[],
  raw: unknown,
): z.core.$ZodIssue[] {
  const found = all.some(isCrossField) ? all : (environmentSchema.safeParse(without(single, raw)).error?.issues ?? []);
  const wrong = new Set(single.filter(({ code }) => code !== 'unrecognized_keys').map((issue) => issue.path.join('.')));
  return found
    .filter(isCrossField)
    .filter((issue) => !wrong.has(issue.path.join('.')) && !wrong.has(String(issue.params?.other)));
}

function without(issues: readonly z.core.$ZodIssue[], raw: unknown): unknown {
  const repaired = structuredClone(raw);
  for (const issue of issues) {
    const parent = valueAt(repaired, issue.path.slice(0, -1));
    const last = issue.path.at(-1);
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) Reflect.deleteProperty(Object(valueAt(repaired, issue.path)) as object, key);
    } else if (typeof parent === 'object' && parent !== null && last !== undefined) {
      Reflect.deleteProperty(parent, last);
    }
  }
  return repaired;
}

function isCrossField(issue: z.core.$ZodIssue): issue is z.core.$ZodIssueCustom {
  return issue.code === 'custom' && issue.params?.other !== undefined;
}

/** What is wrong with the one alternative of a choice that the value has the shape of; the choice itself where none is. */
function ofMeantOption(issue: z.core.$ZodIssue, raw: unknown): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const isMap = typeof valueAt(raw, issue.path) === 'object';
  // a map is none of several words
  const isOfShape = ({ code, path }: z.core.$ZodIssue): boolean =>
    path.length > 0 || !(code === 'invalid_type' || (isMap && code === 'invalid_value'));
  const [problems, ...others] = issue.errors.filter((option) => option.every(isOfShape));
  if (problems === undefined || others.length > 0) return [issue];
  return problems.flatMap((problem) => ofMeantOption({ ...problem, path: [...issue.path, ...problem.path] }, raw));
}

interface Described {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

function describeIssue(issue: z.core.$ZodIssue, raw: unknown): Described[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      return { path, text: `${pathText(path)}: ${unknownSetting(issue.path, key, valueAt(raw, issue.path))}` };
    });
  }
  const params = issue.code === 'custom' ? (issue.params as { fix?: string; value?: unknown } | undefined) : undefined;
  const value = valueAt(raw, issue.path);
  const fix = params?.fix ?? spellingOf(issue, value);
  const where = issue.path.length === 0 ? 'the file' : pathText(issue.path);
  const said = `${ruleText(issue)}, ${got(value, params?.value)}`;
  return [{ path: issue.path, text: `${where}: ${said}.${fix === undefined ? '' : ` ${sentence(fix)}`}` }];
}

/** Which of several names was probably meant. */
function spellingOf(issue: z.core.$ZodIssue, written: unknown): string | undefined {
  if (issue.code !== 'invalid_value' || issue.values.length < 2 || typeof written !== 'string') return undefined;
  const meant = nearest(written, issue.values.map(String));
  return meant === undefined ? undefined : `did you mean ${meant}?`;
}

/** @param standIn the default that a rule between settings was asked about */
function got(value: unknown, standIn: unknown): string {
  // an address may hold a password
  if (value !== undefined) return `got: ${JSON.stringify(value).replace(/(:\/\/[^:@/"\s]*):[^"\s]*@/g, '$1:…@')}`;
  return standIn === undefined ? 'got nothing' : `got: ${JSON.stringify(standIn)} (the default)`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  array: 'a list',
  object: 'a map of settings',
  boolean: 'true or false',
};

/** zod's own texts, turned into "must …" like ours. */
function ruleText(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small':
      return `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    case 'invalid_value':
      return `must be ${oneOf(issue.values.map(String))}`;
    case 'invalid_type':
      return `must be ${TYPE_NAMES[issue.expected] ?? `a ${issue.expected}`}`;
    case 'invalid_union':
      return issue.message.startsWith('must') ? issue.message : `must be ${oneOf(optionsOf(issue))}`;
    default:
      return issue.message.startsWith('must') || issue.code === 'custom'
        ? issue.message
        : `must be valid (${issue.message})`;
  }
}

function optionsOf(issue: z.core.$ZodIssueInvalidUnion): string[] {
  const options = (issue as { options?: unknown[] }).options;
  return options?.map(String) ?? ['one of the documented alternatives'];
}

function oneOf(values: readonly string[]): string {
  return values.length > 1 ? `one of ${values.join(', ')}` : (values[0] ?? 'nothing');
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  );
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[part] : undefined,
    raw,
  );
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('?') ? '' : '.'}`;
}
