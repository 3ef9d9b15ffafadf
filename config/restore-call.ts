import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { StateLayout } from './state';

const lastBackup = z.object({ destination: z.string() });

/** How the newest backup that is known is restored over what is left of an environment. */
export function restoreCall(environment: string, state: Pick<StateLayout, 'lastBackup'>): string {
  return `./scripts/restore --from ${newestBackup(state) ?? 'BACKUP'} --identity FILE --replace ${environment}`;
}

function newestBackup({ lastBackup: file }: Pick<StateLayout, 'lastBackup'>): string | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return lastBackup.parse(JSON.parse(readFileSync(file, 'utf8'))).destination;
  } catch {
    // a note that was cut short names no backup
    return undefined;
  }
}
