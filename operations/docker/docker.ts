import Docker from 'dockerode';
import { buffer } from 'node:stream/consumers';
import { type DockerSettings, resolveEngine } from '../../config/docker/docker-engine';
import { engineAgent } from './engine/engine-transport';
import { ExternalError, messageOf } from '../lib/errors';
import { GiveUp, NotYet, waitFor } from '../lib/wait';

/** The label by which the containers, volumes and networks of one environment are known. */
export interface OwnerLabel {
  readonly name: string;
  readonly value: string;
}

const clients = new Map<string, Docker>();

/**
 * A client of the Docker engine that is meant, see config/docker/docker-engine.ts. Two calls for one engine share connections.
 *
 * @param settings what the environment file says. Default: nothing
 * @throws UsageError where no engine can be meant
 */
export function dockerEngine(settings: DockerSettings = {}): Docker {
  const engine = resolveEngine(settings, process.env);
  const key = `${engine.host} ${engine.certPath ?? ''}`;
  const known = clients.get(key);
  if (known !== undefined) return known;
  // what is not given here, dockerode takes from DOCKER_* variables
  const untouched = { socketPath: undefined, ca: undefined, cert: undefined, key: undefined, timeout: undefined };
  const agent = engineAgent(engine);
  const client = new Docker({
    ...untouched,
    protocol: 'http',
    host: 'docker',
    port: 80,
    pathPrefix: '/',
    agent,
  } as Docker.DockerOptions);
  clients.set(key, client);
  return client;
}

/** The output of a container since a moment, both streams. */
export async function containerLogs(container: Docker.Container, sinceSeconds: number): Promise<string> {
  const raw = await container.logs({ stdout: true, stderr: true, since: sinceSeconds, follow: false });
  return demultiplex(raw);
}

/** Docker's stream format without a terminal: an 8-byte header (stream, length) before each piece. */
export function demultiplex(raw: Buffer): string {
  const pieces: Buffer[] = [];
  for (let offset = 0; offset + 8 <= raw.length;) {
    const length = raw.readUInt32BE(offset + 4);
    pieces.push(raw.subarray(offset + 8, offset + 8 + length));
    offset += 8 + length;
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Docker itself asks only after the whole interval of a container's health check, so the same is asked here. */
export async function waitUntilHealthy(container: Docker.Container, name: string): Promise<void> {
  await waitFor({ what: `${name} to be healthy`, timeoutMs: 90_000, hint: `docker logs ${name}` }, async () => {
    const { Config } = await container.inspect();
    const [kind, ...command] = Config.Healthcheck?.Test ?? [];
    if (kind !== 'CMD') throw new GiveUp(new Error(`${name} has no health check that is a program`));
    const code = await exitCodeOf(container, command);
    return code === 0 ? true : new NotYet(`its health check ends with ${code}`);
  });
}

/** Runs a program in a running container, and waits for its end. */
async function exitCodeOf(container: Docker.Container, command: string[]): Promise<number> {
  return (await outputOf(container, command)).code;
}

/** The same, with what it wrote to its standard output. */
export async function outputOf(
  container: Docker.Container,
  command: string[],
): Promise<{ readonly code: number; readonly output: string }> {
  const exec = await container.exec({ Cmd: command, AttachStdout: true });
  const output = await buffer(await exec.start({}));
  const { ExitCode } = await exec.inspect();
  if (ExitCode === null) throw new Error(`${command.join(' ')} has not ended`);
  return { code: ExitCode, output: demultiplex(output) };
}

/** Whether the engine has a volume of that name. */
export async function volumeExists(docker: Docker, volume: string): Promise<boolean> {
  try {
    await docker.getVolume(volume).inspect();
    return true;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw new ExternalError(`Docker cannot say whether volume ${volume} exists: ${messageOf(error)}`);
  }
}
