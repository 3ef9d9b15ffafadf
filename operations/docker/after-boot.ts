/**
 * Brings back what Docker left down when the machine started.
 *
 * Docker starts each container once at its own start. Where that fails, because an address or a folder is not there yet, it
 * does not try again (moby, daemon/daemon.go, restore). A container that it has started sees disks as they were then.
 *
 * | since Docker started              | what it does by itself     | what this does                         |
 * |-----------------------------------|----------------------------|----------------------------------------|
 * | a published address came          | nothing                    | starts the containers                  |
 * | a folder came                     | nothing                    | starts the container                   |
 * | a disk was mounted on a folder    | nothing, while MinIO runs  | restarts MinIO, once for each disk     |
 * | a container ended by itself       | starts it again            | nothing                                |
 * | a person stopped a container      | nothing                    | nothing                                |
 */
import type Docker from 'dockerode';
import { programPaths } from '../../config/docker/program-paths';
import { ENVIRONMENT_LABEL } from '../../config/deployment-names';
import { type Drive, type Node, nodesOf, onHost } from '../../config/node';
import type { Step, StepContext } from '../lib/step';
import { GiveUp, NotYet, waitFor } from '../lib/wait';
import type { LoadedEnvironment } from '../state/load';
import { outputOf } from './docker';
import { onEachNode } from './hosts/each-node';
import { requireNoOtherEngine } from './engine/engine-identity';
import { MINIO_FORMAT_FILE, readMountedFile } from './mounted-files';

/** A disk that is checked before it is mounted may take minutes. */
const LIMIT_MS = 15 * 60 * 1000;
const LOOK_MS = 2000;

/** The steps; each ends when what it looks at is there. */
export function bootSteps(loaded: LoadedEnvironment): Step[] {
  const { environment, argument } = loaded;
  const step = (
    title: string,
    look: (node: Node, docker: Docker, context: StepContext) => Promise<string[]>,
  ): Step => ({
    title,
    run: async (context) => {
      const hint = `./scripts/check ${argument} says more; ./scripts/up ${argument} deploys what is missing`;
      const limits = { timeoutMs: LIMIT_MS, intervalMs: LOOK_MS, hint };
      return waitFor({ what: title.toLowerCase(), ...limits }, async () => {
        if (context.signal.aborted) throw new GiveUp(context.signal.reason as Error);
        const missing = await onEachNode(nodesOf(environment), async (node, docker) =>
          (await look(node, docker, context)).map((one) => `${one}${onHost(node)}`),
        );
        const [first] = missing.flat();
        if (first === undefined) return undefined;
        context.report(first);
        return new NotYet(missing.flat().join('; '));
      });
    },
  });
  return [
    step('Every container runs', async (_, docker, context) => {
      await requireNoOtherEngine(loaded);
      return startContainers(docker, environment.name, context);
    }),
    step('MinIO sees every disk', driveLook(environment)),
    step('Every container is healthy', async (_, docker) => {
      const states = await services(docker, environment.name);
      return states.flatMap(({ name, health }) => (health === 'healthy' ? [] : [`${name} is ${health}`]));
    }),
  ];
}

/** A container that is to run for ever. */
interface Service {
  readonly container: Docker.Container;
  readonly name: string;
  readonly runs: boolean;
  /** `healthy`, too, where it has no health check. */
  readonly health: string;
  /** Why Docker could not start it; empty where it did not try, or a person stopped it. */
  readonly error: string;
}

async function services(docker: Docker, environment: string): Promise<Service[]> {
  const filters = { label: [`${ENVIRONMENT_LABEL}=${environment}`] };
  const listed = await docker.listContainers({ all: true, filters });
  const found = listed.map(async ({ Id }): Promise<Service[]> => {
    const container = docker.getContainer(Id);
    const { Name, State, HostConfig } = await container.inspect();
    // those that carry files, or give a volume its owner, do not run
    if (HostConfig.RestartPolicy?.Name !== 'always') return [];
    const health = State.Running ? (State.Health?.Status ?? 'healthy') : State.Status;
    return [{ container, name: Name.slice(1), runs: State.Running, health, error: State.Error }];
  });
  return (await Promise.all(found)).flat();
}

/**
 * Starts what Docker could not.
 *
 * @param environment its name
 * @returns what does not run yet, each with why
 */
export async function startContainers(
  docker: Docker,
  environment: string,
  { announce }: Pick<StepContext, 'announce'>,
): Promise<string[]> {
  const all = await services(docker, environment);
  if (all.length === 0) return ['Docker has no container of this environment'];
  const down: string[] = [];
  for (const { container, name, runs, error } of all) {
    if (runs) continue;
    if (error === '') {
      down.push(`${name} is stopped, and Docker has not tried to start it`);
      continue;
    }
    try {
      await container.start();
      announce(`started ${name}, which Docker could not: ${error}`);
    } catch (failure) {
      down.push(`${name}: ${(failure as Error).message.trim()}`);
    }
  }
  return down;
}

/** Looks for drives that are on the host and not in the container, which is restarted for them. */
function driveLook(environment: LoadedEnvironment['environment']) {
  const mc = programPaths(environment).mc;
  const restartedFor = new Set<string>();
  return async (node: Node, docker: Docker, { announce }: StepContext): Promise<string[]> => {
    const folders = node.minio.drives.filter(({ kind }) => kind === 'folder');
    const container = docker.getContainer(node.minio.container);
    const unseen: Drive[] = [];
    for (const drive of folders) if (!(await seesDrive(container, mc, drive))) unseen.push(drive);
    const late: Drive[] = [];
    for (const drive of unseen) {
      const isThere = (await readMountedFile(docker, { folder: drive.source }, MINIO_FORMAT_FILE)) !== undefined;
      if (isThere && !restartedFor.has(`${node.id} ${drive.source}`)) late.push(drive);
    }
    if (late.length > 0) {
      await container.restart();
      for (const { source } of late) restartedFor.add(`${node.id} ${source}`);
      announce(
        `restarted MinIO${onHost(node)}: ${late.map(({ source }) => source).join(', ')} was mounted after it started`,
      );
    }
    return unseen.map(({ source }) => `MinIO does not see its data in ${source}: is the disk mounted?`);
  };
}

/** By its own eyes: Docker hands files out as the host has them now. */
async function seesDrive(container: Docker.Container, mc: string, { path }: Drive): Promise<boolean> {
  const file = `${path}/${MINIO_FORMAT_FILE}`;
  return (await outputOf(container, [mc, '--config-dir', '/tmp/mc', 'ls', file])).code === 0;
}
