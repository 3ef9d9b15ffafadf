/** Makes Terraform forget the key store that the keys leave, so that no deploy destroys it. */
import path from 'node:path';
import { projectRoot } from '../../config/toolchain';
import { run } from '../toolchain/command';

export interface Forgetting {
  /** The synthesized `keystore` stack of the source, initialised. */
  readonly folder: string;
  readonly logFile: string;
  /** Only the mount: everything else of that Vault is the target's, too. */
  readonly onlyMount: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** @returns how many resources Terraform knows no more */
export async function forgetSource({ folder, logFile, onlyMount, signal }: Forgetting): Promise<number> {
  const terraform = async (args: readonly string[]): Promise<string[]> => {
    const lines: string[] = [];
    await run(path.join(projectRoot, 'node_modules', '.bin', 'terraform'), [`-chdir=${folder}`, ...args], {
      logFile,
      signal,
      onLine: (line) => lines.push(line.trim()),
    });
    return lines;
  };
  const known = await terraform(['state', 'list']);
  const left = known.filter((address) => (onlyMount ? /^vault_mount\./ : /^(vault|docker)_/).test(address));
  if (left.length > 0) await terraform(['state', 'rm', ...left]);
  return left.length;
}
