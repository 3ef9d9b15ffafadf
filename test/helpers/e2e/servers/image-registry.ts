/** Debian's docker-registry on a free port of 127.0.0.1, where Docker asks for no TLS; who may pull has to log in. */
import { type ChildProcess, spawn } from 'node:child_process';
import type Docker from 'dockerode';
import { createHash } from 'node:crypto';
import { openSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { stringify } from 'yaml';
import { UsageError } from '../../../../operations/lib/errors';
import { waitFor } from '../../../../operations/lib/wait';
import { findClient } from '../clients/client-programs';
import { endServer } from '../command';
import { testPorts } from '../test-ports';

export const REGISTRY_LOGIN = { username: 'puller', password: 'a-password-of-the-test' } as const;
/** bcrypt, the only hash that the registry takes. */
const HTPASSWD = `${REGISTRY_LOGIN.username}:$2b$05$abcdefghijklmnopqrstuucJN1xUTuNbvk10ocK89fJt/kt8RDCH6\n`;

export class ImageRegistry {
  /** Host and port, as image references begin. */
  readonly host: string;
  /** What `docker login` would have written. */
  readonly dockerConfigFile: string;
  private readonly docker: Docker;
  private readonly server: ChildProcess;

  private constructor(folder: string, docker: Docker, host: string, server: ChildProcess) {
    this.docker = docker;
    this.host = host;
    this.server = server;
    this.dockerConfigFile = path.join(folder, 'config.json');
    writeFileSync(this.dockerConfigFile, JSON.stringify({ auths: { [host]: { auth: encodedLogin() } } }), {
      mode: 0o600,
    });
  }

  static async start(folder: string, docker: Docker): Promise<ImageRegistry> {
    const program = findClient('docker-registry');
    if (program === undefined) throw new UsageError('no docker-registry was found', './scripts/test installs it');
    const [port = 0] = await testPorts(1);
    const host = `127.0.0.1:${port}`;
    const htpasswd = path.join(folder, 'htpasswd');
    writeFileSync(htpasswd, HTPASSWD);
    const configuration = path.join(folder, 'registry.yaml');
    writeFileSync(
      configuration,
      stringify({
        version: '0.1',
        storage: { filesystem: { rootdirectory: path.join(folder, 'images') } },
        http: { addr: host },
        auth: { htpasswd: { realm: 'test', path: htpasswd } },
      }),
    );
    const log = openSync(path.join(folder, 'registry.log'), 'w');
    const server = spawn(program, ['serve', configuration], { stdio: ['ignore', log, log] });
    await waitFor({ what: `the registry of the test at ${host}`, timeoutMs: 180_000 }, () => answers(port));
    return new ImageRegistry(folder, docker, host, server);
  }

  /**
   * Puts an image of another kind of machine there, with nothing to run in it: Docker itself cannot make one.
   *
   * @returns its reference by digest
   */
  async putForeign(program: string, architecture: string): Promise<string> {
    const config = { architecture, os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [] } };
    const content = Buffer.from(JSON.stringify(config));
    const repository = `http://${this.host}/v2/ebs/${program}`;
    const upload = await this.send('POST', `${repository}/blobs/uploads/`);
    const location = new URL(upload.headers.get('location') ?? '');
    location.searchParams.set('digest', sha256(content));
    await this.send('PUT', location.href, 'application/octet-stream', content);
    const type = 'application/vnd.docker.distribution.manifest.v2+json';
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: type,
        config: {
          mediaType: 'application/vnd.docker.container.image.v1+json',
          size: content.length,
          digest: sha256(content),
        },
        layers: [],
      }),
    );
    await this.send('PUT', `${repository}/manifests/${sha256(manifest)}`, type, manifest);
    return `${this.host}/ebs/${program}@${sha256(manifest)}`;
  }

  /** Ends it and takes what was pulled from it away. */
  async stop(pulled: readonly string[]): Promise<void> {
    for (const reference of pulled) await this.forget(reference);
    await endServer(this.server);
  }

  private async send(method: string, url: string, type?: string, body?: Buffer<ArrayBuffer>): Promise<Response> {
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Basic ${encodedLogin()}`,
        ...(type === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body }),
    });
    if (!response.ok) throw new Error(`${method} ${url}: HTTP ${response.status}: ${await response.text()}`);
    return response;
  }

  /** Without its layers, which the images of other tests share. */
  private async forget(name: string): Promise<void> {
    try {
      await this.docker.getImage(name).remove({ force: true, noprune: true });
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode !== 404) throw error;
    }
  }
}

/** As Docker's configuration file and HTTP have it. */
export function encodedLogin(): string {
  return Buffer.from(`${REGISTRY_LOGIN.username}:${REGISTRY_LOGIN.password}`).toString('base64');
}

function sha256(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

async function answers(port: number): Promise<true> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', reject);
  });
}
