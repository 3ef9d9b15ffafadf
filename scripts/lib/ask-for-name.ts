import { createInterface } from 'node:readline/promises';
import { setAsideFolders } from '../../operations/docker/tear-down';
import { UsageError } from '../../operations/lib/errors';
import type { LoadedEnvironment } from '../../operations/state/load';

/** Says what would be gone, and takes nothing but the name for a yes. */
export async function askForName(
  loaded: LoadedEnvironment,
  dataVolumes: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { name } = loaded.environment;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(
      '--delete-data must be confirmed with the environment’s name, and there is no terminal to ask at',
      `write: --delete-data --confirm ${name}`,
    );
  }
  const folders = [loaded.state.root, ...setAsideFolders(loaded.state)];
  const lost = [...dataVolumes.map((volume) => `volume ${volume}`), ...folders.map((folder) => `folder ${folder}`)];
  process.stderr.write(
    `This deletes environment ${name} with its master keys and all objects; nothing can bring them back:\n` +
      lost.map((item) => `  ${item}\n`).join(''),
  );
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    requireName(await terminal.question(`Type the environment’s name (${name}) to delete it: `, { signal }), loaded);
  } finally {
    terminal.close();
  }
}

/** @throws UsageError unless it is the name of the environment */
export function requireName(given: string, { environment }: LoadedEnvironment): void {
  if (given.trim() === environment.name) return;
  throw new UsageError(
    `the confirmation must be the environment’s name (${environment.name}), got: ${given.trim() || 'nothing'}`,
    'nothing was changed',
  );
}
