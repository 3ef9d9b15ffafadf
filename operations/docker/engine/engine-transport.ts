/**
 * One way to speak to a Docker engine, whatever its address: an agent for node:http that opens each connection itself.
 *
 * dockerode's own transports are not used. Its ssh has no verifier of host keys and reads no `~/.ssh/config`, and it
 * mixes DOCKER_* variables into what it is given. Here `ssh` is the command, as it is for the docker command and for
 * Terraform's provider (docker/cli, cli/connhelper); TLS is always verified; no connection goes through a proxy.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect as connectPlain, type Socket } from 'node:net';
import path from 'node:path';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { type EngineAddress, sshArguments, tcpEndpoint } from '../../../config/docker/docker-engine';
import { ExternalError } from '../../lib/errors';

/** More connections at once than this, and an sshd with its default MaxStartups drops some at random. */
const SSH_CONNECTIONS = 8;

const CONNECT_LIMIT_MS = 10_000;

/** Of what `ssh` says, the last characters that are kept. */
const MOST_SAID = 16 * 1024;

/** An agent whose every connection leads to this engine. */
export function engineAgent(engine: EngineAddress): Agent {
  return new EngineAgent(connector(engine), engine.transport === 'ssh' ? SSH_CONNECTIONS : Infinity);
}

class EngineAgent extends Agent {
  private readonly connect: () => Duplex;

  constructor(connect: () => Duplex, maxSockets: number) {
    super({ keepAlive: true, maxSockets });
    this.connect = connect;
  }

  override createConnection(): Duplex {
    return this.connect();
  }
}

function connector(engine: EngineAddress): () => Duplex {
  switch (engine.transport) {
    case 'unix':
      return () => connectPlain(engine.host.slice('unix://'.length));
    case 'tcp':
      return () => bounded(connectPlain(tcpEndpoint(engine)), 'connect');
    case 'tls': {
      const read = (file: string) => readFileSync(path.join(engine.certPath ?? '', file));
      const material = { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') };
      // said, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes only the default
      return () =>
        bounded(connectTls({ ...tcpEndpoint(engine), ...material, rejectUnauthorized: true }), 'secureConnect');
    }
    case 'ssh':
      return () => new SshConnection(engine);
  }
}

/** A host without power does not refuse a connection, it says nothing; and the attempt would keep this process alive. */
function bounded<S extends Socket>(socket: S, connected: string): S {
  const limit = setTimeout(() => {
    socket.destroy(new Error(`no connection within ${CONNECT_LIMIT_MS / 1000} s`));
  }, CONNECT_LIMIT_MS);
  const end = (): void => {
    clearTimeout(limit);
  };
  socket.once(connected, end);
  socket.once('close', end);
  return socket;
}

/** What `ssh … docker system dial-stdio` reads and writes. It is told to end with this process, or when it is idle. */
class SshConnection extends Duplex {
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;

  constructor(engine: EngineAddress) {
    super();
    // a session of its own: an interrupt at the terminal is for this process, which may need the engine to clean up
    const child = spawn('ssh', sshArguments(engine), {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: process.env,
    });
    this.child = child;
    let said = '';
    let answered = false;
    // the other machine may say what it likes, for as long as it likes
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-MOST_SAID)));
    child.stdout.on('data', (chunk: Buffer) => {
      answered = true;
      if (!this.push(chunk)) child.stdout.pause();
    });
    // why it broke is what the end of the process tells
    child.stdin.on('error', () => undefined);
    child.once('error', (error) =>
      this.destroy(
        new ExternalError(
          `ssh cannot be started: ${error.message}`,
          'install the OpenSSH client, or name the engine by another address',
        ),
      ),
    );
    child.once('close', (code) => {
      if (code === 0 || answered) {
        this.push(null);
        // an idle one is not read, and would stay in the pool of the agent
        if (this.listenerCount('data') === 0) this.destroy();
        else this.once('end', () => this.destroy());
      } else this.destroy(sshFailure(engine, said, code));
    });
  }

  override _read(): void {
    this.child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // an error of it says less than the end of ssh, which follows
    this.child.stdin.write(chunk, () => {
      done();
    });
  }

  override _final(done: () => void): void {
    this.child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.child.kill();
    done(error);
  }

  // what node:http asks of a socket

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this.each('ref');
  }

  unref(): this {
    return this.each('unref');
  }

  /** An idle connection must not keep the process alive: neither the child nor its pipes. */
  private each(action: 'ref' | 'unref'): this {
    for (const handle of [this.child, this.child.stdin, this.child.stdout, this.child.stderr]) {
      (handle as { ref?: () => void; unref?: () => void })[action]?.();
    }
    return this;
  }
}

/** Why `ssh` ended before the engine said anything, in one sentence. */
export function sshFailure({ host }: EngineAddress, said: string, code: number | null): ExternalError {
  const text = said.trim();
  const target = host.slice('ssh://'.length);
  const command = `ssh -o StrictHostKeyChecking=ask ${/:\d+$/.test(target) ? host : target}`;
  if (text.includes('REMOTE HOST IDENTIFICATION HAS CHANGED')) {
    const offending = /Offending \S+ key in (\S+?):?(\d+)?\s*$/m.exec(text);
    const where =
      offending === null
        ? 'known_hosts'
        : `${offending[1] ?? ''}${offending[2] === undefined ? '' : `, line ${offending[2]}`}`;
    return new ExternalError(
      `the host key of ${host} is another than the one in ${where}: this may be another machine in its place`,
      `ask its operator; if the key was really replaced, remove the old one (ssh-keygen -R) and compare the new one with: ${command}`,
    );
  }
  if (/Host key verification failed|No \S+ host key is known/.test(text)) {
    return new ExternalError(
      `the host key of ${host} is not known here`,
      `compare and accept it once with: ${command}`,
    );
  }
  if (text.includes('Permission denied')) {
    return new ExternalError(
      `ssh may not log in at ${host}: ${lastLine(text)}`,
      `no password can be asked for here: an agent or a key file of ~/.ssh/config must open it. Try: ssh -o BatchMode=yes ${target} docker version`,
    );
  }
  if (/docker: (?:command )?not found|dial-stdio/.test(text)) {
    return new ExternalError(
      `${host} has no docker command for this user: ${lastLine(text)}`,
      'install Docker Engine with its docker command there, on the PATH of a login without terminal',
    );
  }
  return new ExternalError(
    `ssh to ${host} ended ${code === null ? 'by a signal' : `with exit code ${code}`}: ${lastLine(text) || 'it said nothing'}`,
    `try: ssh ${target} docker version`,
  );
}

function lastLine(text: string): string {
  return text.split('\n').at(-1)?.trim() ?? '';
}
