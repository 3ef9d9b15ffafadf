import type Docker from 'dockerode';
import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import type { OperationInput } from '../../config/operation-inputs';
import { containerLogs, dockerEngine } from './docker';
import { ExternalError } from '../lib/errors';
import { handshake } from '../lib/net/handshake';
import { namesOf } from '../certificates/server-certificate';
import { GiveUp, NotYet, waitFor } from '../lib/wait';

/**
 * Sends the signal that makes a program read its files again, and waits until it shows that it did.
 *
 * @throws ExternalError if it says that it could not, or does not show it within 90 s, with what it was last seen to do
 */
export async function reloadContainer(
  input: OperationInput<'reload-container'>,
  docker: Docker = dockerEngine(),
): Promise<void> {
  const container = docker.getContainer(input.container);
  const { proof } = input;
  const wait = {
    what: `${input.container} to read its files again`,
    timeoutMs: 90_000,
    hint: `docker logs ${input.container}`,
  };

  let pauseCut = false;
  /** Docker waits up to a minute before it starts a program that keeps ending, and new files may be its cure. */
  const cutPause = async (): Promise<boolean> => {
    if (pauseCut || !(await container.inspect()).State.Restarting) return false;
    pauseCut = true;
    await container.restart();
    return true;
  };

  if (proof.kind === 'certificates') {
    await waitFor({ ...wait, what: `${input.container} to answer` }, async () => {
      if (await cutPause()) return new NotYet('it kept exiting and was restarted');
      return answered(proof.url);
    });
    // between two processes there is none to signal
    await waitFor(wait, async () => {
      await container.kill({ signal: input.signal });
    });
    for (const { file, caFile } of proof.certificates) {
      const expected = new X509Certificate(readFileSync(file));
      const [name] = namesOf(expected);
      const trust = {
        ...(caFile === undefined ? {} : { caFile }),
        ...(name === undefined ? {} : { serverName: name.replace('*', 'any') }),
      };
      await waitFor(wait, async () => {
        const shaken = await handshake({ url: proof.url, ...trust });
        const served = 'served' in shaken ? shaken.served.certificate.fingerprint256 : shaken.refusal;
        return served === expected.fingerprint256
          ? true
          : new NotYet(
              `for ${name ?? 'its address'} it serves the certificate ${served}, not ${expected.fingerprint256}`,
            );
      });
    }
    return;
  }

  // the log has the time of Docker's clock, which may be another machine's
  const since = Math.floor(Date.parse(((await docker.info()) as { SystemTime: string }).SystemTime) / 1000);
  let signalledStart: string | undefined;
  let seenBefore = 0;
  await waitFor(wait, async () => {
    if (await cutPause()) return new NotYet('it kept exiting and was restarted');
    const { State } = await container.inspect();
    const log = await containerLogs(container, since);
    if (!State.Running || State.Restarting) {
      return new NotYet(`it is ${State.Status} (exit code ${State.ExitCode}): ${lastLine(log)}`);
    }
    // a signal that came before a restart was for another process
    if (signalledStart !== State.StartedAt) {
      // a program that just starts would die of the signal, or refuse: it is ready when it answers
      const answer = await answered(proof.url);
      if (answer !== true) return answer;
      await container.kill({ signal: input.signal });
      signalledStart = State.StartedAt;
      // what an earlier signal brought in the same second
      seenBefore = log.length;
    }
    const news = log.slice(seenBefore);
    if (news.includes(proof.success)) return true;
    const failure = news.split('\n').find((line) => proof.failures.some((text) => line.includes(text)));
    if (failure === undefined) return new NotYet(lastLine(log));
    throw new GiveUp(
      new ExternalError(
        `${input.container} could not reload its files and keeps the old ones: ${failure.trim()}`,
        `docker logs ${input.container}`,
      ),
    );
  });
}

/**
 * Whether a program answers by TLS. A certificate that is refused is an answer: it may be the one to be replaced. A
 * connection that is closed is none: Docker's proxy does that while no server listens behind it.
 */
async function answered(url: string): Promise<true | NotYet> {
  const shaken = await handshake({ url });
  return 'refusal' in shaken && shaken.refusal === 'ECONNRESET' ? new NotYet('it closes the connection') : true;
}

function lastLine(log: string): string {
  return log.trimEnd().split('\n').at(-1) ?? 'nothing in its log';
}
