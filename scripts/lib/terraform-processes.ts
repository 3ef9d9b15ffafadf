/**
 * Interrupts a `cdktf deploy` so that nothing is lost.
 *
 * cdktf runs Terraform on a pseudo-terminal of its own and, when interrupted, hangs up on it at once: Terraform dies
 * before it has written what it just created into the state. So Terraform is interrupted instead, which finishes the
 * resource at hand and saves the state; cdktf then ends by itself.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { capture } from '../../operations/lib/command';

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** Base name of the program. */
  readonly program: string;
}

/** How often the processes are looked at until cdktf has ended. */
const POLL_MILLISECONDS = 300;

/**
 * The running descendants of a process that are Terraform or OpenTofu. The shim of this project has the same name and
 * waits for the real one, which is the one that is meant.
 */
export function terraformBelow(root: number, processes: readonly ProcessEntry[]): number[] {
  const children = processes.filter((process) => process.parent === root);
  return children.flatMap(({ pid, program }) => {
    const below = terraformBelow(pid, processes);
    return below.length === 0 && (program === 'terraform' || program === 'tofu') ? [pid] : below;
  });
}

/** Interrupts every Terraform below cdktf, once each, until cdktf has ended; cdktf itself where there is none. */
export function interruptDeploy(cdktf: number): void {
  const interrupted = new Set<number>();
  const timer = setInterval(interrupt, POLL_MILLISECONDS);
  interrupt();

  function interrupt(): void {
    const running = terraformBelow(cdktf, listProcesses());
    // a second interrupt would make Terraform give up without saving
    for (const pid of running.filter((pid) => !interrupted.has(pid))) signal(pid);
    if (running.length === 0 && !signal(cdktf)) clearInterval(timer);
  }

  function signal(pid: number): boolean {
    interrupted.add(pid);
    try {
      return process.kill(pid, 'SIGINT');
    } catch {
      // it has ended
      return false;
    }
  }
}

function listProcesses(): ProcessEntry[] {
  const entries = readProc();
  if (entries.length > 0) return entries;
  const printed = capture('ps', ['-axo', 'pid=,ppid=,comm=']) ?? '';
  return printed.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line);
    return match === null
      ? []
      : [{ pid: Number(match[1]), parent: Number(match[2]), program: path.basename(match[3] ?? '') }];
  });
}

function readProc(): ProcessEntry[] {
  let names: string[];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    // a system without it
    return [];
  }
  return names.flatMap((name) => {
    try {
      const match = /^(\d+) \((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8'));
      return match === null ? [] : [{ pid: Number(match[1]), parent: Number(match[3]), program: match[2] ?? '' }];
    } catch {
      return [];
    }
  });
}
