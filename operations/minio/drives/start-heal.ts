import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { ExternalError } from '../../lib/errors';
import { projectRoot } from '../../lib/project-root';
import type { LoadedEnvironment } from '../../state/load';

/**
 * Starts `./scripts/heal` and leaves it to itself. MinIO goes on only as long as a client asks how far it is, and a large
 * heal takes hours: neither a check nor a deploy waits for that.
 *
 * @throws ExternalError in the package of constructs, which has no commands (docs/adr/0055)
 */
export function startHeal({ file, state }: Pick<LoadedEnvironment, 'file' | 'state'>): void {
  const program = path.join(projectRoot, 'scripts', 'lib', 'run.cjs');
  if (!existsSync(program)) {
    throw new ExternalError(
      'a drive that was away is back and lacks what was written meanwhile; the package of constructs has no command that heals',
      `in a clone of the project: ./scripts/heal ${file}`,
    );
  }
  mkdirSync(path.dirname(state.healLog), { recursive: true, mode: 0o700 });
  const log = openSync(state.healLog, 'a', 0o600);
  // a session of its own, so that neither Ctrl-C nor a closed terminal ends it together with the check
  const child = spawn(process.execPath, [program, 'scripts/heal.ts', file], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  // the next check starts it again
  child.on('error', () => undefined);
  child.unref();
  closeSync(log);
}
