import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import type { OperationInput, TlsEndpoint } from '../config/operation-inputs';
import { containerLogs, dockerEngine } from './docker';
import { ExternalError } from './errors';
import { namesOf } from './server-certificate';
import { GiveUp, NotYet, waitFor } from './wait';

/** Sends the signal that makes a program read its files again, and waits until it shows that it did. */
export async function reloadContainer(input: OperationInput<'reload-container'>): Promise<void> {
  const docker = dockerEngine();
  const container = docker.getContainer(input.container);
  const { proof } = input;
  const before = Math.floor(Date.now() / 1000);
  const wait = {
    what: `${input.container} to read its files again`,
    timeoutMs: 90_000,
    hint: `docker logs ${input.container}`,
  };

  if (proof.kind === 'certificates') {
    await waitFor({ ...wait, what: `${input.container} to answer` }, () => handshake(proof.url, {}).catch(isAnswer));
    await container.kill({ signal: input.signal });
    for (const { file, caFile } of proof.certificates) {
      const expected = new X509Certificate(readFileSync(file));
      const [name] = namesOf(expected);
      const trust = {
        ...(caFile === undefined ? {} : { caFile }),
        ...(name === undefined ? {} : { serverName: name.replace('*', 'any') }),
      };
      await waitFor(wait, async () => {
        const served = await handshake(proof.url, trust);
        return served === expected.fingerprint256
          ? true
          : new NotYet(
              `for ${name ?? 'its address'} it serves the certificate ${served}, not ${expected.fingerprint256}`,
            );
      });
    }
    return;
  }

  let signalled = false;
  await waitFor(wait, async () => {
    const { State } = await container.inspect();
    if (!State.Running || State.Restarting) return new NotYet(`it is ${State.Status} (exit code ${State.ExitCode})`);
    if (!signalled) {
      // a program that just starts would die of the signal: it must have installed its handler
      const log = await containerLogs(container, 0);
      if (log.trim() === '') return new NotYet('it has logged nothing yet');
      await container.kill({ signal: input.signal });
      signalled = true;
    }
    const log = await containerLogs(container, before);
    if (log.includes(proof.success)) return true;
    const failure = log.split('\n').find((line) => proof.failures.some((text) => line.includes(text)));
    if (failure === undefined) return new NotYet(lastLine(log));
    throw new GiveUp(
      new ExternalError(
        `${input.container} could not read its files again and goes on with the old ones: ${failure.trim()}`,
        `docker logs ${input.container}`,
      ),
    );
  });
}

/** The fingerprint of the certificate that is served. */
async function handshake(url: string, { caFile, serverName }: Omit<TlsEndpoint, 'url'>): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(
      {
        host: hostname,
        port: Number(port),
        ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
        // a client that asks for an address sends no name
        ...(serverName === undefined || isIP(serverName) > 0 ? {} : { servername: serverName }),
        timeout: 5_000,
        // said, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes only the default
        rejectUnauthorized: true,
      },
      () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? 'none');
        socket.end();
      },
    );
    socket.on('timeout', () => socket.destroy(new Error(`no answer from ${url} in time`)));
    socket.on('error', reject);
  });
}

/** A certificate that is refused is an answer, too: it may be the expired one that is to be replaced. */
function isAnswer(error: NodeJS.ErrnoException): true {
  // what the network says has an errno, what verification says has only a code
  if (error.code !== undefined && error.errno === undefined) return true;
  throw error;
}

function lastLine(log: string): string {
  return log.trimEnd().split('\n').at(-1) ?? 'nothing in its log';
}
