import type Docker from 'dockerode';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { reloadContainer } from '../../../operations/docker/reload-container';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { TlsServer } from '../../helpers/servers/tls-server';

const folder = useTemporaryFolder();
let tls: TlsServer;
let proxy: Server | undefined;

beforeEach(async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  tls = await TlsServer.start(await ca.issue('kes'), (_request, response) => response.end());
});

afterEach(async () => {
  proxy?.close();
  proxy = undefined;
  await tls.stop();
});

interface Life {
  /** What the process does on the signal. */
  readonly onSignal: 'reloads' | 'dies' | 'refuses';
}

/** A Docker with one container, whose processes live one after the other; it notes what is asked of it. */
function fakeDocker(lives: readonly Life[], restarting = false) {
  const asked: string[] = [];
  let life = 0;
  let waiting = restarting;
  let log = 'Error: what the process before had logged\n';
  const container = {
    inspect: () =>
      Promise.resolve({
        State: {
          Running: true,
          Restarting: waiting,
          Status: waiting ? 'restarting' : 'running',
          ExitCode: 1,
          StartedAt: `start ${life}`,
        },
      }),
    restart: () => {
      asked.push('restart');
      waiting = false;
      return Promise.resolve();
    },
    kill: ({ signal }: { signal: string }) => {
      asked.push(`${signal} to process ${life}`);
      const does = lives[life]?.onSignal;
      if (does === 'reloads') log += 'reloaded\n';
      if (does === 'refuses') log += 'Failed to reload: no such file\n';
      if (does === 'dies') life += 1;
      return Promise.resolve();
    },
    logs: () => {
      const text = Buffer.from(log);
      const header = Buffer.alloc(8);
      header.writeUInt32BE(text.length, 4);
      return Promise.resolve(Buffer.concat([header, text]));
    },
  };
  const docker = {
    info: () => Promise.resolve({ SystemTime: '2026-01-01T00:00:00Z' }),
    getContainer: () => container,
  };
  return { docker: docker as unknown as Docker, asked };
}

const kes = (url = tls.url) => ({
  container: 'ebs-demo-kes',
  signal: 'SIGHUP' as const,
  proof: { kind: 'log' as const, url, success: 'reloaded', failures: ['Failed to reload'] },
});

test('a running program gets the signal once', async () => {
  const { docker, asked } = fakeDocker([{ onSignal: 'reloads' }]);
  await reloadContainer(kes(), docker);
  expect(asked).toEqual(['SIGHUP to process 0']);
});

test('a process that took the place of the one that was signalled is signalled again', async () => {
  const { docker, asked } = fakeDocker([{ onSignal: 'dies' }, { onSignal: 'reloads' }]);
  await reloadContainer(kes(), docker);
  expect(asked).toEqual(['SIGHUP to process 0', 'SIGHUP to process 1']);
});

test('a program that keeps ending is not waited for until Docker starts it again', async () => {
  const { docker, asked } = fakeDocker([{ onSignal: 'reloads' }], true);
  await reloadContainer(kes(), docker);
  expect(asked).toEqual(['restart', 'SIGHUP to process 0']);
});

test('a program that does not answer yet is not signalled', async () => {
  // GIVEN what Docker's proxy does while nobody listens behind it: it takes a connection, and closes it
  const { docker, asked } = fakeDocker([{ onSignal: 'reloads' }]);
  const seen: number[] = [];
  proxy = createServer((client) => {
    seen.push(asked.length);
    // what is not read keeps a socket, and the worker of jest, from its end
    if (seen.length < 3) return client.resume().end();
    const { port, hostname } = new URL(tls.url);
    const server = connect(Number(port), hostname);
    for (const socket of [client, server]) socket.on('error', () => socket.destroy());
    return client.pipe(server).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  // WHEN
  await reloadContainer(kes(`https://127.0.0.1:${port}`), docker);
  // THEN
  expect({ seen, asked }).toEqual({ seen: [0, 0, 0], asked: ['SIGHUP to process 0'] });
});

test('a program that says that it could not is believed at once', async () => {
  const { docker } = fakeDocker([{ onSignal: 'refuses' }]);
  await expect(reloadContainer(kes(), docker)).rejects.toThrow(
    'ebs-demo-kes could not reload its files and keeps the old ones: Failed to reload: no such file',
  );
});
