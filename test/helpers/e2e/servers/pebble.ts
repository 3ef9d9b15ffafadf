/** Pebble, the ACME authority for tests, with its DNS server: both on loopback, everything in memory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { request, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https';
import path from 'node:path';
import { projectRoot } from '../../../../operations/lib/project-root';
import { HttpClient } from '../../../../operations/lib/net/http';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import { buildProgram } from '../../../../operations/toolchain/go/go-build';
import type { GoProgram } from '../../../../operations/toolchain/go/programs';
import { NotYet, waitFor } from '../../../../operations/lib/wait';
import { Authority, type Issued } from '../../pki';
import { testPorts } from '../test-ports';

const program = (name: string): GoProgram => ({
  name,
  module: path.join(projectRoot, 'toolchain', 'pebble'),
  package: `github.com/letsencrypt/pebble/v2/cmd/${name}`,
  tags: [],
  target: 'host',
  diskMb: { modules: 30, objects: 150 },
});

/** What the proxy in front of Pebble does instead of Pebble, which knows no rate limits. */
export type Behaviour = 'as Pebble' | 'rate limit';

export interface Pebble {
  readonly directory: string;
  /** CA of the directory itself. */
  readonly directoryCaFile: string;
  /** Port on which Pebble looks for answers to http-01, for whatever domain. */
  readonly httpPort: number;
  /** Address of the DNS server's management interface. */
  readonly dnsUrl: string;
  behaviour: Behaviour;
  /** The root and the intermediate CA that issue. */
  issuers(): Promise<{ readonly root: string; readonly intermediate: Authority }>;
  stop(): Promise<void>;
}

/**
 * @param folder for its configuration and logs
 * @param more settings of Pebble
 */
export async function startPebble(folder: string, more: Readonly<Record<string, unknown>> = {}): Promise<Pebble> {
  const [pebble, dns] = await Promise.all(
    ['pebble', 'pebble-challtestsrv'].map((name) => buildProgram(cacheLayout(), program(name))),
  );
  const [listenPort = 0, managementPort, httpPort = 0, dnsPort, dnsManagementPort = 0, tlsPort] = await testPorts(6);
  const ca = await Authority.root('of the ACME directory');
  const issued = await ca.issue({ names: ['127.0.0.1'] });
  const file = (name: string, text: string): string => {
    const full = path.join(folder, name);
    writeFileSync(full, text, { mode: 0o600 });
    return full;
  };
  const directoryCaFile = file('directory-ca.crt', ca.certificate);
  const configuration = file(
    'pebble.json',
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${listenPort}`,
        managementListenAddress: `127.0.0.1:${managementPort}`,
        certificate: file('directory.crt', issued.certificate),
        privateKey: file('directory.key', issued.privateKey),
        httpPort,
        tlsPort,
        // of an EC key it tells nobody
        keyAlgorithm: 'rsa',
        domainBlocklist: ['blocked.e2e.test'],
        ...more,
      },
    }),
  );
  const local = `127.0.0.1:${dnsPort}`;
  const children = [
    start(folder, dns ?? '', [
      ...['-dnsserver', local, '-management', `127.0.0.1:${dnsManagementPort}`, '-defaultIPv4', '127.0.0.1'],
      ...['-defaultIPv6', '', '-http01', '', '-https01', '', '-tlsalpn01', '', '-doh', ''],
    ]),
    start(folder, pebble ?? '', ['-config', configuration, '-dnsserver', local]),
  ];
  const management = new HttpClient({ url: `https://127.0.0.1:${managementPort}`, caFile: directoryCaFile });
  const get = async (where: string): Promise<string> => {
    const { status, text } = await management.send({ method: 'GET', path: where });
    if (status !== 200) throw new Error(`${where}: HTTP ${status}`);
    return text;
  };
  const root = await waitFor({ what: 'Pebble to answer', timeoutMs: 180_000 }, () => get('/roots/0'));
  await waitFor({ what: 'the DNS server of Pebble to answer', timeoutMs: 180_000 }, async () =>
    (await answers(dnsManagementPort)) ? true : new NotYet('no answer'),
  );

  const control: { behaviour: Behaviour } = { behaviour: 'as Pebble' };
  const proxy = await startProxy(issued, listenPort, ca.certificate, control);
  return Object.assign(control, {
    directory: `${proxy.url}/dir`,
    directoryCaFile,
    httpPort,
    dnsUrl: `http://127.0.0.1:${dnsManagementPort}`,
    issuers: async () => ({
      root,
      intermediate: await Authority.existing(await get('/intermediates/0'), await get('/intermediate-keys/0')),
    }),
    stop: async () => {
      management.close();
      await proxy.stop();
      await Promise.all(children.map(stop));
    },
  });
}

function start(folder: string, binary: string, args: readonly string[]): ChildProcess {
  const child = spawn(binary, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    // no pauses before it validates
    env: { ...process.env, PEBBLE_VA_NOSLEEP: '1' },
  });
  const log = createWriteStream(path.join(folder, `${path.basename(binary)}.log`));
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  await new Promise((resolve) => {
    child.once('close', resolve);
    child.kill('SIGTERM');
  });
}

async function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({ host: '127.0.0.1', port, path: '/', method: 'GET' }, (response) => {
      response.resume();
      resolve(true);
    });
    probe.on('error', () => {
      resolve(false);
    });
    probe.end();
  });
}

/** Passes everything on to Pebble, but may answer a new order as an authority does whose rate limit is reached. */
async function startProxy(
  { certificate, privateKey }: Issued,
  pebblePort: number,
  ca: string,
  control: { readonly behaviour: Behaviour },
): Promise<{ url: string; stop: () => Promise<void> }> {
  const agent = new Agent({ ca, rejectUnauthorized: true });
  const pass = (incoming: IncomingMessage, response: ServerResponse): void => {
    if (control.behaviour === 'rate limit' && incoming.url === '/order-plz') {
      incoming.resume();
      response.writeHead(429, { 'content-type': 'application/problem+json', 'retry-after': '3600' });
      response.end(
        JSON.stringify({ type: 'urn:ietf:params:acme:error:rateLimited', detail: 'too many certificates already' }),
      );
      return;
    }
    const { method, url: where, headers } = incoming;
    const onward = httpsRequest(
      { host: '127.0.0.1', port: pebblePort, method, path: where, headers, agent },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.writeHead(502).end());
    incoming.pipe(onward);
  };
  const server: Server = createServer({ cert: certificate, key: privateKey }, pass);
  const [port] = await testPorts(1);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${port}`,
    stop: async () => {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
