/** Which process of this machine listens on a port; Linux tells it in /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { capture } from '../lib/command';

/** How much of a command line a message repeats. */
const COMMAND_LENGTH = 80;
const LISTENING = '0A';

/** The listening process, as `process 4711 (python3 -m http.server)`; less where the system does not say more. */
export function processListeningOn(port: number): string {
  const pid = pidByProc(port) ?? pidByLsof(port);
  if (pid === undefined) return 'a process that this user may not see';
  return `process ${pid} (${commandOf(pid)})`;
}

function pidByProc(port: number): number | undefined {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((table) => listeningInodes(readOrEmpty(`/proc/net/${table}`), port)));
  if (inodes.size === 0) return undefined;
  return readdirOrEmpty('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => readdirOrEmpty(`/proc/${pid}/fd`).some((fd) => inodes.has(socketInode(`/proc/${pid}/fd/${fd}`))));
}

/** The socket inodes of a /proc/net/tcp table that listen on the port. */
export function listeningInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix) === true && fields[3] === LISTENING)
    .map((fields) => fields[9] ?? '');
}

function socketInode(link: string): string {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(link))?.[1] ?? '-';
  } catch {
    return '-';
  }
}

function pidByLsof(port: number): number | undefined {
  const pid = Number(capture('lsof', ['-nP', '-t', `-iTCP:${port}`, '-sTCP:LISTEN'])?.split('\n')[0]);
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

function commandOf(pid: number): string {
  const command =
    readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() ||
    (capture('ps', ['-o', 'args=', '-p', String(pid)]) ?? 'unknown');
  return command.length > COMMAND_LENGTH ? `${command.slice(0, COMMAND_LENGTH)}…` : command;
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function readdirOrEmpty(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // another user's process, or one that has just ended
    return [];
  }
}
