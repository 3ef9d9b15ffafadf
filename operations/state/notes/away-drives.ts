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
  /** Those of them that were not seen away: a deploy replaced their MinIO. */
  replaced: z.array(z.string()).optional(),
});
export type AwayDrives = z.infer<typeof note>['drives'];
interface Noted {
  readonly drives: AwayDrives;
  readonly replaced: readonly string[];
}

type Place = Pick<StateLayout, 'awayDrives'>;

/** The drives that no heal has covered since they were away; empty if there is no note. */
export const readAwayDrives = (state: Place): AwayDrives => read(state).drives;

/** Whether all of these drives only missed what was written while a deploy replaced their MinIO. */
export function wereReplaced(state: Place, paths: readonly string[]): boolean {
  const { replaced } = read(state);
  return paths.every((path) => replaced.includes(path));
}

function read({ awayDrives: file }: Place): Noted {
  const text = readIfExists(file);
  if (text === undefined) return { drives: {}, replaced: [] };
  try {
    const { drives, replaced = [] } = note.parse(JSON.parse(text));
    return { drives, replaced };
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
  const { drives, replaced } = read(state);
  write(state, { drives: at(now, drives, paths), replaced: replaced.filter((path) => !paths.includes(path)) });
}

/** Notes that these drives missed something until now, because their MinIO was replaced. */
export function noteReplacedDrives(state: Place, paths: readonly string[], now = new Date()): void {
  const { drives, replaced } = read(state);
  const more = paths.filter((path) => drives[path] === undefined);
  write(state, { drives: at(now, drives, paths), replaced: [...replaced, ...more] });
}

const at = (now: Date, drives: AwayDrives, paths: readonly string[]): AwayDrives => ({
  ...drives,
  ...Object.fromEntries(paths.map((path) => [path, now.toISOString()])),
});

/** Forgets these drives, unless they were seen away after `healedSince`. */
export function forgetAwayDrives(state: Place, paths: readonly string[], healedSince: Date): void {
  const { drives, replaced } = read(state);
  const left = Object.entries(drives).filter(([path, seen]) => !paths.includes(path) || new Date(seen) >= healedSince);
  if (left.length === Object.keys(drives).length) return;
  const names = left.map(([path]) => path);
  write(state, { drives: Object.fromEntries(left), replaced: replaced.filter((path) => names.includes(path)) });
}

function write({ awayDrives: file }: Place, { drives, replaced }: Noted): void {
  const content = { version: 1, drives, ...(replaced.length === 0 ? {} : { replaced }) };
  writeFileAtomically(file, `${JSON.stringify(content, null, 2)}\n`, 0o644);
}
