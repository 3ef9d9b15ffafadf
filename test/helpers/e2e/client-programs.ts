/** Finds backup clients that really run: a version manager's shim may stand for nothing. */
import path from 'node:path';
import { capture } from '../../../operations/toolchain/command';

const VERSION_ARGUMENT = { aws: '--version', restic: 'version' } as const;
export type ClientProgram = keyof typeof VERSION_ARGUMENT;

/** The packages of Debian and Ubuntu that bring the clients. */
export const CLIENT_PACKAGES: Readonly<Record<ClientProgram, string>> = { aws: 'awscli', restic: 'restic' };

export function findClient(name: ClientProgram): string | undefined {
  const folders = ['/usr/bin', '/usr/local/bin', ...(process.env.PATH ?? '').split(path.delimiter)];
  return folders
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name))
    .find((file) => capture(file, [VERSION_ARGUMENT[name]]) !== undefined);
}
