/** Remembers the newest backup, and says so when it does not hold every master key. */
import { z } from 'zod';
import type { StateLayout } from '../../config/state/layout';
import { type Canaries, readCanaries } from '../state/notes/canaries';
import { readIfExists, writeFileAtomically } from '../lib/files';
import type { BundleHeader } from './bundle/bundle';

const lastBackup = z.object({
  createdAt: z.iso.datetime(),
  masterKeys: z.array(z.string()),
  destination: z.string(),
  /** Of the encrypted file, hex. */
  sha256: z.string(),
  /** Who has signed it. Absent: it is not signed, or was restored by its SHA-256 alone. */
  signer: z.string().optional(),
});
export type LastBackup = z.infer<typeof lastBackup>;

export function noteBackup(
  state: StateLayout,
  { createdAt, masterKeys }: BundleHeader,
  written: Pick<LastBackup, 'destination' | 'sha256' | 'signer'>,
): void {
  const { destination, sha256, signer } = written;
  const note: LastBackup = { createdAt, masterKeys, destination, sha256, ...(signer === undefined ? {} : { signer }) };
  writeFileAtomically(state.lastBackup, `${JSON.stringify(note, null, 2)}\n`, 0o644);
}

/** @returns undefined if there is none, or if its note cannot be read */
export function readLastBackup(state: Pick<StateLayout, 'lastBackup'>): LastBackup | undefined {
  try {
    return lastBackup.parse(JSON.parse(readIfExists(state.lastBackup) ?? 'null'));
  } catch {
    return undefined;
  }
}

/**
 * Master keys that are not in a backup: all of them if there is none.
 *
 * A key counts as saved by name and age: one that was made anew under an old name after the backup is not in it.
 */
export function unsavedKeys(canaries: Canaries, backup: LastBackup | undefined): string[] {
  return Object.entries(canaries)
    .filter(
      ([key, { bornAt }]) => backup === undefined || !backup.masterKeys.includes(key) || bornAt > backup.createdAt,
    )
    .map(([key]) => key);
}

/** Why the newest backup would not save this deployment: it is older than a master key. Undefined if it would. */
export function backupCoverageWarning(
  argument: string,
  state: Pick<StateLayout, 'canaries' | 'lastBackup'>,
): string | undefined {
  const canaries = readCanaries(state.canaries);
  if (Object.keys(canaries).length === 0) return undefined;
  const backup = readLastBackup(state);
  const command = `./scripts/backup ${argument} --to FILE --recipient age1…`;
  if (backup === undefined) {
    return `no backup of the master keys is known: if they are lost, so is everything under them. Make one: ${command}`;
  }
  const unsaved = unsavedKeys(canaries, backup);
  if (unsaved.length === 0) return undefined;
  return (
    `the newest backup (${backup.createdAt}) is older than ${unsaved.length === 1 ? 'master key' : 'master keys'} ` +
    `${unsaved.join(', ')}: if lost, so is everything under it. Make a new one: ${command}`
  );
}
