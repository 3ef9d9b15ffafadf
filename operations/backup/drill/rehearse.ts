/** Runs the steps of a drill on a copy, takes the copy away, and reports. */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { ENVIRONMENT_LABEL } from '../../../config/deployment-names';
import { defaultStateHome } from '../../../config/state/layout';
import { dockerEngine } from '../../docker/docker';
import { dockerResourcesOf, tearDownSteps } from '../../docker/tear-down';
import { ExternalError, messageOf } from '../../lib/errors';
import { describeHolder } from '../../lib/lock';
import { projectRoot } from '../../lib/project-root';
import type { Step } from '../../lib/step';
import type { LoadedEnvironment } from '../../state/load';
import { DRILL_ENVIRONMENT, drillFolders } from './copy';
import type { DrillReport } from './drill-report';
import { type DrillObject, writeObjects } from './objects';

/** What the steps find out. */
export type Facts = Partial<Record<'objects' | 'objectsSame' | 'backupBytes' | 'firstObjectSeconds', number>> & {
  changes?: readonly string[];
};

export interface Rehearsal {
  /** Everything of the copy; removed at the end. */
  readonly folder: string;
  readonly steps: readonly Step[];
  /** Filled by the steps. */
  readonly facts: Facts;
  /** Runs steps and shows them. */
  readonly show: (steps: readonly Step[], signal: AbortSignal) => Promise<void>;
}

/** Runs the steps, then takes the copy away, also after a failure. */
export async function rehearse(
  original: string,
  copy: LoadedEnvironment,
  { folder, steps, facts, show }: Rehearsal,
  signal: AbortSignal,
): Promise<Omit<DrillReport, 'recoveryPoint'>> {
  const startedAt = new Date();
  const timed: { name: string; seconds: number }[] = [];
  let problem: string | undefined;
  try {
    await show(
      steps.map((step) => ({
        ...step,
        run: async (context) => {
          const started = performance.now();
          const remark = await step.run(context);
          timed.push({ name: step.title, seconds: (performance.now() - started) / 1000 });
          return remark;
        },
      })),
      signal,
    );
  } catch (error) {
    problem = messageOf(error);
  } finally {
    // not to be interrupted: nothing else removes the copy
    await show(takenAway(copy), new AbortController().signal);
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    version: 1,
    environment: original,
    copy: copy.environment.name,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    outcome: problem === undefined ? 'passed' : 'failed',
    ...(problem === undefined ? {} : { problem }),
    steps: timed,
    ...facts,
  };
}

/** Fills the copy. */
export function writeStep(
  copy: LoadedEnvironment,
  facts: Facts,
  keep: (written: readonly DrillObject[]) => void,
): Step {
  return {
    title: 'Write objects',
    run: async () => {
      const written = await writeObjects(copy);
      keep(written);
      facts.objects = written.length;
      return `${written.length} in every mode of encryption`;
    },
  };
}

function takenAway(copy: LoadedEnvironment): Step[] {
  const docker = dockerEngine(copy.environment.docker);
  const owner = { name: ENVIRONMENT_LABEL, value: copy.environment.name };
  return tearDownSteps({ docker, owner, loaded: copy, deleteData: true });
}

/**
 * Refuses beside another drill of the same environment, or an environment of that name. Where there is none, what
 * killed drills left is of no use any more and goes: keys of a copy whose volumes are gone.
 */
export async function requireNoOther({ environment }: LoadedEnvironment, folder: string): Promise<void> {
  const docker = dockerEngine(environment.docker);
  const others = (await drillFolders(defaultStateHome(), environment)).filter((drill) => drill.folder !== folder);
  const dockerResources = await dockerResourcesOf(docker, { name: ENVIRONMENT_LABEL, value: environment.name });
  const free = Object.values(dockerResources).every((list: readonly unknown[]) => list.length === 0);
  for (const drill of others) {
    if (!free || drill.holder !== undefined) continue;
    rmSync(drill.folder, { recursive: true, force: true });
    process.stderr.write(`removed ${drill.folder}: a drill that was killed had left it\n`);
  }
  if (free) return;
  const holder = others.find((drill) => drill.holder !== undefined)?.holder;
  const killed = others[0]?.folder ?? path.join(defaultStateHome(), 'drill-…');
  throw new ExternalError(
    `there is an environment ${environment.name} already, and the copy would have its name`,
    holder === undefined
      ? `if a drill was killed, take away what it left with: ./scripts/down ${path.join(killed, DRILL_ENVIRONMENT)} --delete-data`
      : `wait until the other drill is done: ${describeHolder(holder)}`,
  );
}

/** One of our own commands; what it prints is its log. */
export async function script(
  name: 'up' | 'restore' | 'toolchain',
  args: readonly string[],
  signal: AbortSignal,
): Promise<undefined> {
  const child = spawn(path.join(projectRoot, 'scripts', name), args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const said: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString('utf8')));
  const interrupt = (): void => void child.kill('SIGINT');
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    signal.throwIfAborted();
    if (code === 0) return undefined;
    const text = said.join('').trim();
    throw new ExternalError(`./scripts/${name} ended with exit code ${code ?? 'none'}:\n${text.slice(-4000)}`);
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}
