/** What kind of machine this is, and what is on it. */
import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';

/** How packages can be installed here. */
export interface Machine {
  /** Debian, Ubuntu and what descends from them. */
  readonly apt: boolean;
  readonly root: boolean;
}

export function thisMachine(osRelease = '/etc/os-release'): Machine {
  let text = '';
  try {
    text = readFileSync(osRelease, 'utf8');
  } catch {
    // not a Linux with that file: no apt
  }
  const ids = [...text.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap((match) => (match[1] ?? '').split(' '));
  return { apt: ids.includes('debian') || ids.includes('ubuntu'), root: process.getuid?.() === 0 };
}

/** Go's names for this machine's system and architecture. */
export function goPlatform(): { readonly os: string; readonly architecture: string } {
  return {
    os: process.platform === 'win32' ? 'windows' : process.platform,
    architecture: process.arch === 'x64' ? 'amd64' : process.arch === 'ia32' ? '386' : process.arch,
  };
}

/** The first program of that name on PATH whose file is not one of `except`. */
export function findProgram(
  name: string,
  except: readonly string[] = [],
  searchPath: string = process.env.PATH ?? '',
): string | undefined {
  const excluded = new Set(except.map(realPath));
  for (const folder of searchPath.split(path.delimiter)) {
    const candidate = path.join(folder, name);
    if (path.isAbsolute(folder) && isExecutable(candidate) && !excluded.has(realPath(candidate))) return candidate;
  }
  return undefined;
}

function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Whether an ELF program needs no dynamic loader: the only kind that runs in an image without libraries. */
export function isStaticElf(file: string): boolean {
  const PT_INTERP = 3;
  const bytes = readFileSync(file);
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) return false;
  const tableOffset = Number(bytes.readBigUInt64LE(32));
  const entrySize = bytes.readUInt16LE(54);
  const entryCount = bytes.readUInt16LE(56);
  const types = Array.from({ length: entryCount }, (_, index) => bytes.readUInt32LE(tableOffset + index * entrySize));
  return !types.includes(PT_INTERP);
}
