/** What a drill showed: for people, for programs, and for a schedule in CI. */
import type { StateLayout } from '../../../config/state/layout';
import { readCanaries } from '../../state/notes/canaries';
import { type JunitCase, junitXml } from '../../lib/text/junit';
import { ageOf } from '../age/age';
import { readLastBackup, unsavedKeys } from '../last-backup';

/** What a disaster would leave of the environment itself: the drill is of a copy, with a backup made for it. */
export interface RecoveryPoint {
  /** How many the environment has; none if it is not deployed. */
  readonly masterKeys: number;
  /** As noted when it was made. */
  readonly newestBackup?: { readonly createdAt: string; readonly ageSeconds: number };
  /** Master keys that are not in it. */
  readonly notInBackup: readonly string[];
}

export interface DrillReport {
  readonly version: 1;
  /** The environment whose copy was used. */
  readonly environment: string;
  readonly copy: string;
  readonly recoveryPoint: RecoveryPoint;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly outcome: 'passed' | 'failed';
  /** What an upgrade changed, each as `MinIO: from … to …`. Absent: it was the disaster that was rehearsed. */
  readonly changes?: readonly string[];
  /** Why it failed. */
  readonly problem?: string;
  /** The steps that were done, in their order. */
  readonly steps: readonly { readonly name: string; readonly seconds: number }[];
  /** How many objects were written before the disaster. */
  readonly objects?: number;
  /** How many of them were read after it and found to be what was written. */
  readonly objectsSame?: number;
  readonly backupBytes?: number;
  /** Recovery time: from the start of the restore until the first object was read. */
  readonly firstObjectSeconds?: number;
}

export function recoveryPointOf(state: Pick<StateLayout, 'canaries' | 'lastBackup'>, now: Date): RecoveryPoint {
  const canaries = readCanaries(state.canaries);
  const backup = readLastBackup(state);
  const newest = backup && {
    createdAt: backup.createdAt,
    ageSeconds: Math.round((now.getTime() - Date.parse(backup.createdAt)) / 1000),
  };
  return {
    masterKeys: Object.keys(canaries).length,
    ...(newest === undefined ? {} : { newestBackup: newest }),
    notInBackup: unsavedKeys(canaries, backup),
  };
}

export function drillText(report: DrillReport): string {
  const { environment, outcome, problem, steps, backupBytes = 0, firstObjectSeconds } = report;
  const { objects = 0, objectsSame = 0, recoveryPoint } = report;
  const width = Math.max(0, ...steps.map(({ name }) => name.length));
  const lines = steps.map(({ name, seconds }) => `  ${name.padEnd(width)}  ${seconds.toFixed(1).padStart(6)} s`);
  if (outcome === 'failed') {
    return `Drill of ${environment}: FAILED after these steps\n${lines.join('\n')}\n\n${problem ?? ''}\n`;
  }
  if (report.changes !== undefined) {
    return `Upgrade of a copy of ${environment}: passed
${lines.join('\n')}

${report.changes.map((change) => `  ${change}\n`).join('')}
  objects  ${objects} written before the upgrade, ${objectsSame} read after it and the same
`;
  }
  return `Drill of ${environment}: passed
${lines.join('\n')}

  recovery time           ${firstObjectSeconds?.toFixed(1) ?? 'unknown'} s from the start of the restore to the first object
  objects                 ${objects} written before the disaster, ${objectsSame} read after it and the same
  backup                  ${backupBytes} bytes
  would have been lost    now, of ${environment} itself, with its key store and state folder:
                          ${lossOf(recoveryPoint)}
                          objects are in no backup: with the data volume every one of them
`;
}

function lossOf({ masterKeys, newestBackup, notInBackup }: RecoveryPoint): string {
  if (masterKeys === 0) return 'nothing, it has no master keys';
  if (newestBackup === undefined) return `everything, no backup of its ${keys(masterKeys)} is known`;
  const backup = `the newest backup (${newestBackup.createdAt}, ${ageOf(newestBackup.ageSeconds)} old)`;
  if (notInBackup.length === 0) return `no object, ${backup} holds its ${keys(masterKeys)}`;
  return `everything under ${notInBackup.join(', ')}, not in ${backup}`;
}

function keys(count: number): string {
  return count === 1 ? 'master key' : `${count} master keys`;
}

export function drillJunit(report: DrillReport): string {
  const { environment, steps, problem, startedAt, finishedAt, objects = 0, objectsSame = 0, recoveryPoint } = report;
  const done = steps.map(({ name, seconds }): JunitCase => ({ name, seconds }));
  const failed = (text: string): JunitCase => ({
    name: 'the step after these',
    seconds: 0,
    outcome: { kind: 'failure', message: text.split('\n')[0] ?? '', text },
  });
  return junitXml({
    name: `${report.changes === undefined ? 'disaster' : 'upgrade'} drill of ${environment}`,
    tool: 'encrypted-backup-storage',
    startedAt,
    seconds: (Date.parse(finishedAt) - Date.parse(startedAt)) / 1000,
    properties: {
      'objects written': objects,
      'objects read again and the same': objectsSame,
      'would have been lost': lossOf(recoveryPoint),
    },
    cases: [...done, ...(problem === undefined ? [] : [failed(problem)])],
  });
}
