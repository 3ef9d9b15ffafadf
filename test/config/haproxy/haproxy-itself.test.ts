/** What HAProxy makes of the configuration: of this machine, or fetched for images (./scripts/toolchain with hosts). */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { request } from 'node:https';
import path from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import {
  type BalancedServer,
  BALANCER_FILES,
  BALANCER_HEALTH,
  type BalancerConfiguration,
  renderBalancer,
} from '../../../config/haproxy/balancer-configuration';
import { freePorts } from '../../../operations/lib/net/free-ports';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { ThrowawayCa } from '../../helpers/certificates';
import { findHaproxy, haproxyIsHere } from '../../helpers/servers/haproxy';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { TlsServer } from '../../helpers/servers/tls-server';

const folder = useTemporaryFolder();
const ifHere = haproxyIsHere() ? test : test.skip;

/** What a server answers to its check. Whoever is led to it learns its name. */
type Statuses = Record<string, number>;

interface Started {
  readonly servers: readonly [BalancedServer, ...BalancedServer[]];
  readonly statuses: Statuses;
  /** Those that answer 500 when they are asked whether they reach a KES. */
  readonly withoutKeys: Set<string>;
  readonly stop: (name: string) => Promise<void>;
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/**
 * Servers that demand a certificate as Vault and KES do, or not, as MinIO.
 *
 * @param as the name that the certificate of one really has
 */
async function start(
  ca: ThrowawayCa,
  statuses: Statuses,
  { as = {}, demanding = true }: { readonly as?: Record<string, string>; readonly demanding?: boolean } = {},
): Promise<Started> {
  const running = new Map<string, TlsServer>();
  const withoutKeys = new Set<string>();
  const statusOf = (name: string, url: string): number =>
    url === '/minio/health/ready' && withoutKeys.has(name) ? 500 : (statuses[name] ?? 500);
  const servers: BalancedServer[] = [];
  for (const name of Object.keys(statuses)) {
    const files = await ca.issue(`${name}-files`, '127.0.0.1', [as[name] ?? name, 'shared']);
    const server = await TlsServer.start(
      { ...files, ...(demanding ? { clientCaFile: ca.file } : {}) },
      ({ url = '/' }, response) => {
        response.writeHead(url === '/' ? 200 : statusOf(name, url)).end(name);
      },
    );
    closing.push(() => server.stop());
    running.set(name, server);
    servers.push({ name, address: '127.0.0.1', port: Number(new URL(server.url).port) });
  }
  const [first, ...others] = servers;
  if (first === undefined) throw new Error('no server');
  const stop = async (name: string): Promise<void> => running.get(name)?.stop();
  return { servers: [first, ...others], statuses, withoutKeys, stop };
}

/** Starts HAProxy with files of the folder of the test instead of those of its container. */
async function balance(ca: ThrowawayCa, configuration: BalancerConfiguration): Promise<{ readonly health: string }> {
  const [program, ...args] = (await findHaproxy()) ?? [];
  if (program === undefined) throw new Error('no HAProxy');
  const local = (file: string): string => path.join(folder(), path.basename(file));
  if (!existsSync(local(BALANCER_FILES.ca))) copyFileSync(ca.file, local(BALANCER_FILES.ca));
  for (const file of [BALANCER_FILES.kesClient, BALANCER_FILES.vaultClient]) {
    const client = await ca.issue(path.basename(file, '.crt'));
    copyFileSync(client.privateKeyFile, `${local(file)}.key`);
    if (client.certificateFile !== local(file)) copyFileSync(client.certificateFile, local(file));
  }
  const [port = 0] = await freePorts(1);
  const health = BALANCER_HEALTH.replace(/:\d+/, `:${port}`);
  const file = path.join(folder(), 'haproxy.cfg');
  const text = renderBalancer(configuration).replaceAll('/files/', `${folder()}/`);
  writeFileSync(file, text.replace(new URL(BALANCER_HEALTH).host, new URL(health).host));
  const child = spawn(program, [...args, '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  closing.unshift(() => end(child));
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await waitFor({ what: 'HAProxy', timeoutMs: 10_000, intervalMs: 50 }, async () => {
    if (child.exitCode !== null) throw new Error(said);
    return (await fetch(health)).status === 200 ? true : new NotYet(said);
  });
  return { health };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Whom a new connection to that port is led to; undefined where it is closed. */
async function ledTo(ca: ThrowawayCa, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const file = (name: string) => readFileSync(path.join(folder(), name));
    request(
      {
        host: '127.0.0.1',
        port,
        servername: 'shared',
        agent: false,
        ca: readFileSync(ca.file),
        cert: file('vault-client.crt'),
        key: file('vault-client.crt.key'),
      },
      (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => {
          resolve(body);
        });
      },
    )
      .on('error', () => {
        resolve(undefined);
      })
      .end();
  });
}

/** A connection that somebody keeps. */
async function connection(ca: ThrowawayCa, port: number): Promise<TLSSocket> {
  const file = (name: string) => readFileSync(path.join(folder(), name));
  const [cert, key] = [file('vault-client.crt'), file('vault-client.crt.key')];
  const socket = connect({ host: '127.0.0.1', port, servername: 'shared', ca: readFileSync(ca.file), cert, key });
  socket.on('error', () => undefined).resume();
  await once(socket, 'secureConnect');
  return socket;
}

/** Waits until all of several connections in a row are led to these. */
async function until(ca: ThrowawayCa, port: number, ...expected: readonly string[]): Promise<void> {
  // HAProxy takes a server for a good one until its first check has failed
  await waitFor({ what: `connections to ${expected.join(', ')}`, timeoutMs: 10_000, intervalMs: 50 }, async () => {
    const found: string[] = [];
    for (let index = 0; index < 9; index += 1) found.push((await ledTo(ca, port)) ?? 'nobody');
    const all = [...new Set(found)].sort().join(', ');
    return all === expected.join(', ') ? true : new NotYet(all);
  });
}

/** A configuration with one service of interest; the others lead to the same servers. */
async function only(service: 's3' | 'kes' | 'vault', { servers }: Started) {
  const [port = 0, ...others] = await freePorts(3);
  const [first = 0, second = 0] = others;
  const all = { s3: first, kes: second, vault: first, [service]: port };
  const parts = {
    s3: { bind: { port: all.s3 }, servers },
    kes: { bind: { port: all.kes }, servers },
    ...(service === 'vault' ? { vault: { bind: { port }, servers } } : {}),
  };
  return { port, configuration: parts };
}

ifHere('Vault: connections follow the active one, past standbys', async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const started = await start(ca, { 'vault-1': 429, 'vault-2': 200, 'vault-3': 429 });
  const { port, configuration } = await only('vault', started);
  await balance(ca, configuration);
  await until(ca, port, 'vault-2');

  await started.stop('vault-2');
  started.statuses['vault-3'] = 200;
  await until(ca, port, 'vault-3');
});

ifHere('KES: the first of the list, another while it does not answer, and the first again', async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const started = await start(ca, { 'kes-2': 200, 'kes-1': 200, 'kes-3': 200 });
  const { port, configuration } = await only('kes', started);
  await balance(ca, configuration);
  await until(ca, port, 'kes-2');
  started.statuses['kes-2'] = 503;
  await until(ca, port, 'kes-1');
  const kept = await connection(ca, port);
  started.statuses['kes-2'] = 200;
  await until(ca, port, 'kes-2');
  // MinIO keeps one for days, and that KES has other keys in its memory
  await waitFor({ what: 'the connection to kes-1 to be closed', timeoutMs: 10_000, intervalMs: 50 }, () =>
    Promise.resolve(kept.destroyed ? true : new NotYet('it is open')),
  );
});

ifHere('S3: connections are spread over all that can serve', async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const started = await start(ca, { 'minio-1': 503, 'minio-2': 200, 'minio-3': 200 }, { demanding: false });
  const { port, configuration } = await only('s3', started);
  await balance(ca, configuration);
  await until(ca, port, 'minio-2', 'minio-3');
});

ifHere('S3: past a MinIO that reaches no KES, as long as another does', async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const started = await start(ca, { 'minio-1': 503, 'minio-2': 200, 'minio-3': 200 }, { demanding: false });
  const { port, configuration } = await only('s3', started);
  await balance(ca, configuration);
  await until(ca, port, 'minio-2', 'minio-3');
  started.withoutKeys.add('minio-2');
  await until(ca, port, 'minio-3');
  started.withoutKeys.add('minio-3');
  await until(ca, port, 'minio-2', 'minio-3');
});

ifHere('a server whose certificate is for another name is led to by nobody', async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const started = await start(ca, { 'kes-1': 200, 'kes-2': 200 }, { as: { 'kes-1': 'kes-9' } });
  const { port, configuration } = await only('kes', started);
  await balance(ca, configuration);
  await until(ca, port, 'kes-2');
});

ifHere('a server with a certificate of another CA is led to by nobody', async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const other = await ThrowawayCa.create(folder(), 'other');
  const good = await start(ca, { 'kes-2': 200 });
  const foreign = await start(other, { 'kes-1': 200 }, { demanding: false });
  const { port, configuration } = await only('kes', { ...good, servers: [foreign.servers[0], ...good.servers] });
  await balance(ca, configuration);
  await until(ca, port, 'kes-2');
});
