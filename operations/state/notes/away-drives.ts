/**
 * Which drives were seen away. MinIO leaves some of what was written meanwhile on the others, and does not say so:
 * docs/adr/0052-what-a-drive-missed.md. So whoever sees one away notes it here, until a heal has looked at everything.
 */
import { z } from 'zod';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import { ExternalError } from '../../lib/errors';
import type { StateLayout } from '../../../config/state/layout';

const note = z.strictObject({
  version: z.literal(1),
  /** By the path of the drive in MinIO's container: when it was last seen without all that it should hold. */
  drives: z.record(z.string(), z.iso.datetime()),
});
export type AwayDrives = z.infer<typeof note>['drives'];

type Place = Pick<StateLayout, 'awayDrives'>;

/** The drives that no heal has covered since they were away; empty if there is no note. */
export function readAwayDrives({ awayDrives: file }: Place): AwayDrives {
  const text = readIfExists(file);
  if (text === undefined) return {};
  try {
    return note.parse(JSON.parse(text)).drives;
  } catch {
    throw new ExternalError(
      `${file} does not say which drives were away`,
      'remove it, then run ./scripts/heal, which looks at every drive',
    );
  }
}

/** Notes that these drives are away now. */
export function noteAwayDrives(state: Place, paths: readonly string[], now = new Date()): void {
  if (paths.length === 0) return;
  write(state, { ...readAwayDrives(state), ...Object.fromEntries(paths.map((path) => [path, now.toISOString()])) });
}

/** Forgets these drives, unless they were seen away after `healedSince`. */
export function forgetAwayDrives(state: Place, paths: readonly string[], healedSince: Date): void {
  const before = readAwayDrives(state);
  const left = Object.entries(before).filter(([path, seen]) => !paths.includes(path) || new Date(seen) >= healedSince);
  if (left.length < Object.keys(before).length) write(state, Object.fromEntries(left));
}

function write({ awayDrives: file }: Place, drives: AwayDrives): void {
  writeFileAtomically(file, `${JSON.stringify({ version: 1, drives }, null, 2)}\n`, 0o644);
}
