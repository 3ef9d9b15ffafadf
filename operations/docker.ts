import Docker from 'dockerode';
import { finished } from 'node:stream/promises';
import { ExternalError, messageOf } from './errors';
import { GiveUp, NotYet, waitFor } from './wait';

/** The label by which the containers, volumes and networks of one environment are known. */
export interface OwnerLabel {
  readonly name: string;
  readonly value: string;
}

/** The Docker engine that `host`, or else `DOCKER_HOST`, or else the local socket names. */
export function dockerEngine(host?: string): Docker {
  if (host === undefined) return new Docker();
  const url = new URL(host);
  if (url.protocol === 'unix:') return new Docker({ socketPath: url.pathname });
  if (url.protocol === 'ssh:') {
    return new Docker({ protocol: 'ssh', host: url.hostname, port: url.port || '22', username: url.username });
  }
  return new Docker({ protocol: 'https', host: url.hostname, port: url.port || '2376' });
}

/** The output of a container since a moment, both streams. */
export async function containerLogs(container: Docker.Container, sinceSeconds: number): Promise<string> {
  const raw = await container.logs({ stdout: true, stderr: true, since: sinceSeconds, follow: false });
  return demultiplex(raw);
}

/** Docker's stream format without a terminal: an 8-byte header (stream, length) before each piece. */
function demultiplex(raw: Buffer): string {
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
  const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true });
  const output = await exec.start({});
  await finished(output.resume(), { writable: false });
  const { ExitCode } = await exec.inspect();
  if (ExitCode === null) throw new Error(`${command.join(' ')} has not ended`);
  return ExitCode;
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
