/**
 * JUnit XML, which GitHub Actions, GitLab and Jenkins show test by test. There is no standard of the format; this keeps to what all
 * of them read (https://github.com/testmoapp/junitxml).
 */
import { Markup, markup } from './markup';

export interface JunitCase {
  readonly name: string;
  readonly seconds: number;
  /** @default - it passed */
  readonly outcome?: {
    readonly kind: 'skipped' | 'error' | 'failure';
    readonly type?: string;
    readonly message: string;
    readonly text?: string;
  };
  /** What it printed. */
  readonly output?: string;
}

export interface JunitSuite {
  readonly name: string;
  /** The program that ran it. */
  readonly tool: string;
  readonly startedAt: string;
  readonly seconds: number;
  readonly properties: Readonly<Record<string, string | number>>;
  readonly cases: readonly JunitCase[];
}

export function junitXml({ name, tool, startedAt, seconds, properties, cases }: JunitSuite): string {
  const count = (kind: string): number => cases.filter(({ outcome }) => outcome?.kind === kind).length;
  const totals = markup`tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}" time="${seconds.toFixed(3)}"`;
  const named = Object.entries(properties).map(
    ([property, value]) => markup`      <property name="${property}" value="${value}"/>
`,
  );
  return markup`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="${tool}" ${totals}>
  <testsuite name="${name}" ${totals} timestamp="${startedAt.replace(/\.\d+Z$/, 'Z')}">
    <properties>
${named}    </properties>
${cases.map((one) => testcase(name, one))}  </testsuite>
</testsuites>
`.text;
}

function testcase(suite: string, { name, seconds, outcome, output }: JunitCase): Markup {
  const printed =
    output === undefined
      ? undefined
      : markup`      <system-out>${output}</system-out>
`;
  return markup`    <testcase classname="${suite}" name="${name}" time="${seconds.toFixed(3)}">
${outcome && element(outcome)}${printed}    </testcase>
`;
}

function element({ kind, type, message, text }: NonNullable<JunitCase['outcome']>): Markup {
  const tag = new Markup(kind);
  const typed = type === undefined ? undefined : markup` type="${type}"`;
  return markup`      <${tag}${typed} message="${oneLine(message)}">${text}</${tag}>
`;
}

/** Readers of XML make a space of each line break in an attribute. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
