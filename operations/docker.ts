import Docker from 'dockerode';
import { ExternalError, messageOf } from './errors';

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
