import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { StateLayout } from '../../config/state/layout';

const lastBackup = z.object({ destination: z.string() });

/** How the newest backup that is known is restored over what is left of an environment. */
export function restoreCall(environment: string, state: Pick<StateLayout, 'lastBackup'>): string {
  return `./scripts/restore --from ${newestBackup(state) ?? 'BACKUP'} --identity FILE --replace ${environment}`;
}

function newestBackup({ lastBackup: file }: Pick<StateLayout, 'lastBackup'>): string | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return argumentsOf(lastBackup.parse(JSON.parse(readFileSync(file, 'utf8'))).destination);
  } catch {
    // a note that was cut short names no backup
    return undefined;
  }
}

/** A place as a backup notes it, `s3://bucket/key at https://host` or a path, as `--from` and `--endpoint` take it. */
function argumentsOf(destination: string): string {
  const [, place = destination, endpoint] = /^(s3:\/\/.+) at (https?:\/\/\S+)$/.exec(destination) ?? [];
  const word = /^[\w@%+=:,./-]+$/.test(place) ? place : `'${place.replaceAll("'", `'\\''`)}'`;
  return endpoint === undefined ? word : `${word} --endpoint ${endpoint}`;
}
