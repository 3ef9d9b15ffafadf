/** Remembers what the last drill showed. */
import path from 'node:path';
import { z } from 'zod';
import type { StateLayout } from '../../../config/state/layout';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import type { DrillReport } from './drill-report';

const lastDrill = z.object({
  finishedAt: z.iso.datetime(),
  outcome: z.enum(['passed', 'failed']),
  firstObjectSeconds: z.number().optional(),
});

const fileOf = ({ reports }: Pick<StateLayout, 'reports'>): string => path.join(reports, 'drill.json');

/** The whole report, beside those of the checks. */
export function noteDrill(state: Pick<StateLayout, 'reports'>, report: DrillReport): void {
  writeFileAtomically(fileOf(state), `${JSON.stringify(report, null, 2)}\n`, 0o644);
}

/** @returns undefined if there is none, or if it cannot be read */
export function readLastDrill(state: Pick<StateLayout, 'reports'>): z.infer<typeof lastDrill> | undefined {
  try {
    return lastDrill.parse(JSON.parse(readIfExists(fileOf(state)) ?? 'null'));
  } catch {
    return undefined;
  }
}
