/** What a drill showed: for people, for programs, and for a schedule in CI. */
import { markup } from '../checks/report/markup';

export interface DrillReport {
  readonly version: 1;
  /** The environment whose copy was used. */
  readonly environment: string;
  readonly copy: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly outcome: 'passed' | 'failed';
  /** Why it failed. */
  readonly problem?: string;
  /** The steps that were done, in their order. */
  readonly steps: readonly { readonly name: string; readonly seconds: number }[];
  /** How many objects were written, lost from sight, and read again. */
  readonly objects?: number;
  readonly backupBytes?: number;
  /** Recovery time: from the start of the restore until the first object was read. */
  readonly firstObjectSeconds?: number;
}

export function drillText(report: DrillReport): string {
  const { environment, outcome, problem, steps, objects = 0, backupBytes = 0, firstObjectSeconds } = report;
  const width = Math.max(0, ...steps.map(({ name }) => name.length));
  const lines = steps.map(({ name, seconds }) => `  ${name.padEnd(width)}  ${seconds.toFixed(1).padStart(6)} s`);
  if (outcome === 'failed') {
    return `Drill of ${environment}: FAILED after these steps\n${lines.join('\n')}\n\n${problem ?? ''}\n`;
  }
  return `Drill of ${environment}: passed
${lines.join('\n')}

  recovery time           ${firstObjectSeconds?.toFixed(1) ?? 'unknown'} s from the start of the restore to the first object
  objects                 ${objects} written before the disaster, all read again and the same
  would have been lost    nothing that was written, as long as the data volume and the backup are there; with the data
                          volume gone: every object, and nothing else
  backup                  ${backupBytes} bytes
`;
}

export function drillJunit(report: DrillReport): string {
  const { environment, steps, problem, startedAt, finishedAt } = report;
  const suite = `disaster drill of ${environment}`;
  const seconds = ((Date.parse(finishedAt) - Date.parse(startedAt)) / 1000).toFixed(3);
  const failures = problem === undefined ? 0 : 1;
  const done = steps.map(
    ({ name, seconds: time }) =>
      markup`    <testcase classname="${suite}" name="${name}" time="${time.toFixed(3)}"/>
`,
  );
  const failed =
    problem === undefined
      ? undefined
      : markup`    <testcase classname="${suite}" name="the step after these" time="0">
      <failure message="${problem.split('\n')[0]}">${problem}</failure>
    </testcase>
`;
  const totals = markup`tests="${steps.length + failures}" failures="${failures}" time="${seconds}"`;
  return markup`<?xml version="1.0" encoding="UTF-8"?>
<testsuites ${totals}>
  <testsuite name="${suite}" ${totals} timestamp="${startedAt}">
${done}${failed}  </testsuite>
</testsuites>
`.text;
}
