/** What the last run of the checks said of the disks beneath a deployment. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { reportSchema } from '../../../operations/checks/report/model';
import type { StateLayout } from '../../../config/state/layout';

/** A device, or a file system that has none: what a machine of tests has is not known, but something was found. */
export const FOUND = /^(?:\S+ )?\/dev\/|^(?:zfs|overlay|tmpfs)/;

export function diskPlaces(state: StateLayout): Record<string, { state: string; by: string }> {
  const file = path.join(state.reports, 'checks.json');
  const { results } = reportSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const evidence = results.find(({ id }) => id === 'disk-encryption')?.evidence;
  return evidence?.places as Record<string, { state: string; by: string }>;
}
