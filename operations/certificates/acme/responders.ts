/** The two ways to show an ACME authority that a domain is ours. */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AcmeSettings } from '../../../config/environment';
import { ExternalError, messageOf } from '../../lib/errors';

/** Answers challenges of one type until it is closed. */
export interface Responder {
  readonly type: 'http-01' | 'dns-01';
  /**
   * @param token names the answer (http-01)
   * @param answer what the authority must find
   */
  readonly present: (domain: string, token: string, answer: string) => Promise<void>;
  readonly cleanUp: (domain: string, token: string, answer: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

const HOOK_TIMEOUT_MS = 15 * 60 * 1000;
const CHALLENGE_FOLDER = '/.well-known/acme-challenge/';

export async function responder(challenge: AcmeSettings['challenge']): Promise<Responder> {
  return challenge.type === 'http-01' ? httpResponder(challenge) : dnsResponder(challenge.hook);
}

/** A server that knows the answers and nothing else. */
async function httpResponder({ address, port }: { address: string; port: number }): Promise<Responder> {
  const answers = new Map<string, string>();
  const server = createServer((request, response) => {
    const url = request.url ?? '';
    const answer = url.startsWith(CHALLENGE_FOLDER) ? answers.get(url.slice(CHALLENGE_FOLDER.length)) : undefined;
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/octet-stream' });
    response.end(answer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new ExternalError(
          `tls.challenge: nothing can listen on ${address}:${port} to answer the ACME authority: ${error.code ?? error.message}`,
          error.code === 'EACCES'
            ? 'ports below 1024 need root; forward port 80 to another port and name that in tls.challenge.port'
            : 'stop what holds it, or name another port and forward port 80 to it',
        ),
      );
    });
    server.listen(port, address, resolve);
  });
  return {
    type: 'http-01',
    present: (_, token, answer) => {
      answers.set(token, answer);
      return Promise.resolve();
    },
    cleanUp: (_, token) => {
      answers.delete(token);
      return Promise.resolve();
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A program of the user's; its arguments are those of lego's `exec` provider, so hooks written for that work. */
function dnsResponder(hook: string): Responder {
  const record = (domain: string): string => `_acme-challenge.${domain.replace(/^\*\./, '')}.`;
  return {
    type: 'dns-01',
    present: (domain, _, answer) => runHook(hook, ['present', record(domain), answer]),
    cleanUp: (domain, _, answer) => runHook(hook, ['cleanup', record(domain), answer]),
    close: () => Promise.resolve(),
  };
}

async function runHook(hook: string, args: readonly [string, string, string]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(hook, args, { timeout: HOOK_TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error === null) {
        resolve();
        return;
      }
      const said = `${stdout}\n${stderr}`.trim().split('\n').at(-1) ?? '';
      const ended = typeof error.code === 'number' ? `exit code ${error.code}` : (error.code ?? messageOf(error));
      reject(
        new ExternalError(
          `tls.challenge.hook: ${hook} ${args.slice(0, 2).join(' ')} ended with ${error.killed === true ? 'the time limit of 15 minutes' : ended}${said === '' ? '' : `: ${said}`}`,
          'run it by hand with the same arguments and any value',
        ),
      );
    });
  });
}
