/** Containers as the checks look at them. */
import type { ContainerInspectInfo } from 'dockerode';
import { type Node, onHost } from '../../../config/node';
import { filesOf } from './drive';

/** A container of a deployment. */
export interface ServiceContainer {
  readonly name: string;
  /** The same for a message: with its host, where there are several. */
  readonly shown: string;
  readonly inspect: () => Promise<ContainerInspectInfo>;
  /** What a file in it holds. */
  readonly read: (file: string) => Promise<Buffer>;
  /** Its output since a moment, in seconds. */
  readonly logsSince: (seconds: number) => Promise<string>;
  /** Whether its output reaches back to before that moment. */
  readonly hasLogsBefore: (seconds: number) => Promise<boolean>;
}

/** @param name as the node says that it is on */
export async function containerOf(node: Pick<Node, 'docker' | 'host'>, name: string): Promise<ServiceContainer> {
  // loading it takes longer than most checks run
  const { containerLogs, dockerEngine } = await import('../../docker/docker.js');
  const container = dockerEngine(node.docker).getContainer(name);
  return {
    name,
    shown: `${name}${onHost(node)}`,
    inspect: async () => container.inspect(),
    read: async (file) => {
      const { files } = await filesOf(await container.getArchive({ path: file }));
      const [found] = files;
      if (found === undefined) throw new Error(`${name}${onHost(node)} has no file ${file}`);
      return found.content;
    },
    logsSince: async (seconds) => containerLogs(container, seconds),
    hasLogsBefore: async (seconds) =>
      (await container.logs({ stdout: true, stderr: true, follow: false, until: seconds, tail: 1 })).length > 0,
  };
}

/** When Docker made the container of that name, or undefined if there is none: Docker prunes what does not run. */
export async function createdAt(container: ServiceContainer): Promise<Date | undefined> {
  try {
    return new Date((await container.inspect()).Created);
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined;
    throw error;
  }
}
