import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withLock } from '../../../operations/lib/lock';
import { backupTarget } from '../../../operations/schedule/jobs';
import { runJob } from '../../../operations/schedule/run-job';
import type { Message } from '../../../operations/schedule/notify';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';
import { loaded } from '../checks/fakes';

const folder = useTemporaryFolder();
const inFolder = (name: string): string => path.join(folder(), name);
const { signal } = new AbortController();

let said: string;

beforeEach(() => {
  said = '';
  const hear = (text: string | Uint8Array): boolean => {
    said += String(text);
    return true;
  };
  jest.spyOn(process.stderr, 'write').mockImplementation(hear);
  jest.spyOn(process.stdout, 'write').mockImplementation(hear);
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** Has whoever is told write down what. */
const TOLD = `notify: { type: command, command: [/bin/sh, -c, 'cat >> "$0"', %] }`;
const told = (more = ''): string => `name: prod\n${TOLD.replace('%', inFolder('told'))}\n${more}`;

function deployed(text: string) {
  const environment = loaded(folder(), text);
  mkdirSync(environment.state.root, { recursive: true });
  writeFileSync(environment.state.deployment, '{}');
  return environment;
}

const shell = (script: string) => (): [string, ...string[]] => ['/bin/sh', '-c', script];

function messages(): Message[] {
  if (!existsSync(inFolder('told'))) return [];
  const lines = readFileSync(inFolder('told'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Message);
}

test('a run that passes says what it printed, and tells nobody', async () => {
  const command = shell('echo all passed; echo progress >&2');
  expect(await runJob(deployed(told()), 'check', { signal, command })).toBe(0);
  expect(said).toContain('all passed\n');
  expect(said).toContain('progress\n');
  expect(messages()).toEqual([]);
});

test('with when: always it is told of as well', async () => {
  const text = told().replace('type: command', 'type: command, when: always');
  expect(await runJob(deployed(text), 'check', { signal, command: shell('echo all passed') })).toBe(0);
  expect(messages()).toMatchObject([{ outcome: 'passed', exitCode: 0, lastLines: ['all passed'], warnings: [] }]);
});

test('a run that fails keeps its exit code, and is told of with what it printed last', async () => {
  const command = shell('echo "  ✘ kms-ready  no"; seq 1 30; echo "error: no" >&2; exit 3');
  expect(await runJob(deployed(told()), 'check', { signal, command })).toBe(3);
  const [message] = messages();
  expect(message).toMatchObject({ environment: 'prod', job: 'check', outcome: 'failed', exitCode: 3, warnings: [] });
  expect(message?.text).toMatch(/^encrypted-backup-storage: nightly checks of prod on \S+ failed with exit code 3$/);
  expect(message?.lastLines).toHaveLength(20);
  // of two streams, which come in no order
  expect([...(message?.problems ?? [])].sort()).toEqual(['error: no', '✘ kms-ready  no']);
});

test('a warning is told of', async () => {
  const command = shell('echo "warning: no backup of the master keys is known" >&2');
  expect(await runJob(deployed(told()), 'deploy', { signal, command })).toBe(0);
  expect(messages()).toMatchObject([
    { job: 'deploy', outcome: 'warning', exitCode: 0, warnings: ['no backup of the master keys is known'] },
  ]);
});

test('a command that cannot be started is told of', async () => {
  const command = (): [string] => [inFolder('not-there')];
  expect(await runJob(deployed(told()), 'check', { signal, command })).toBe(1);
  expect(messages()).toMatchObject([{ outcome: 'failed', lastLines: [expect.stringMatching(/^error: .*ENOENT$/)] }]);
});

test('where nothing is deployed nothing is begun: keys would be made anew', async () => {
  const environment = loaded(folder(), told());
  expect(await runJob(environment, 'deploy', { signal, command: shell(`touch ${inFolder('began')}`) })).toBe(1);
  expect(existsSync(inFolder('began'))).toBe(false);
  expect(messages()).toMatchObject([
    {
      lastLines: [
        `error: environment prod is not deployed: there is no ${environment.state.deployment}; a scheduled deploy begins nothing`,
        expect.stringMatching(/^hint: put that folder back/),
      ],
    },
  ]);
});

test('it waits for a command of a person, and for another scheduled run', async () => {
  const environment = deployed(told());
  const running: Promise<number>[] = [];
  await withLock(environment.state.lock, 'rotating', async () => {
    running.push(runJob(environment, 'check', { signal, command: shell(`echo check >> ${inFolder('order')}`) }));
    running.push(runJob(environment, 'drill', { signal, command: shell(`echo drill >> ${inFolder('order')}`) }));
    // it has looked by then: it takes and releases its own lock for that
    while (!existsSync(environment.state.scheduleLock)) await new Promise(setImmediate);
    expect(existsSync(inFolder('order'))).toBe(false);
  });
  expect(await Promise.all(running)).toEqual([0, 0]);
  expect(readFileSync(inFolder('order'), 'utf8').trim().split('\n').sort()).toEqual(['check', 'drill']);
});

test('an interruption ends the wait', async () => {
  const environment = deployed(told());
  const interruption = new AbortController();
  await withLock(environment.state.lock, 'rotating', async () => {
    const run = runJob(environment, 'check', { signal: interruption.signal, command: shell('true') });
    interruption.abort(new Error('interrupted by SIGTERM'));
    expect(await run).toBe(1);
  });
  expect(messages()).toMatchObject([{ outcome: 'failed', lastLines: ['error: interrupted by SIGTERM'] }]);
});

describe('old backups', () => {
  const OLD = ['prod-20260101T010000Z.age', 'prod-20260102T010000Z.age', 'prod-20260103T010000Z.age'];
  const OTHERS = ['prod-before-the-move.age', 'production-20250101T010000Z.age', 'prod-20250101T010000Z.age.part'];
  const setting = (): string => told(`schedule: { backup: { to: ${inFolder('to')}, recipients: [age1a], keep: 2 } }`);
  beforeEach(() => {
    mkdirSync(inFolder('to'));
    for (const name of [...OLD, ...OTHERS]) writeFileSync(path.join(inFolder('to'), name), '');
  });

  // 1970: a machine whose clock stood still while it was off, and that has not met its time server yet
  test.each(['2026-01-04T01:00:00Z', '1970-01-01T00:00:10Z'])(
    'go after a new one was made, with the clock at %s; those of a person and of other environments stay',
    async (now) => {
      jest.useFakeTimers({ now: new Date(now), doNotFake: ['nextTick', 'setImmediate', 'setTimeout', 'performance'] });
      const made = path.basename(backupTarget('prod', { to: inFolder('to') }, new Date()));
      try {
        const command = shell(`touch ${path.join(inFolder('to'), made)}`);
        expect(await runJob(deployed(setting()), 'backup', { signal, command })).toBe(0);
      } finally {
        jest.useRealTimers();
      }
      expect(readdirSync(inFolder('to')).sort()).toEqual([OLD[2], made, ...OTHERS].sort());
      expect(said).toContain(`removed ${OLD[0]}, ${OLD[1]}: 2 are kept\n`);
    },
  );

  test('all stay where none was made', async () => {
    expect(await runJob(deployed(setting()), 'backup', { signal, command: shell('exit 1') })).toBe(1);
    expect(readdirSync(inFolder('to')).sort()).toEqual([...OLD, ...OTHERS].sort());
  });
});

describe('a webhook', () => {
  const TOKEN = 'T0KEN-in-the-address';
  let server: TlsServer;
  let requests: string[];
  let status: number;

  beforeEach(async () => {
    const ca = await ThrowawayCa.create(folder(), 'ca');
    requests = [];
    status = 200;
    server = await TlsServer.start(await ca.issue('hooks'), (request, response, body) => {
      requests.push(`${request.method} ${request.url} ${(JSON.parse(body) as Message).outcome}`);
      response.writeHead(status).end('no');
    });
    writeFileSync(inFolder('url'), `${server.url}/hooks/${TOKEN}?a=b\n`, { mode: 0o600 });
  });
  afterEach(async () => {
    await server.stop();
  });

  const environment = (ca: string) =>
    deployed(`name: prod\nnotify: { type: webhook, urlFile: ${inFolder('url')}, caFile: ${ca} }`);

  test('gets the message', async () => {
    expect(await runJob(environment(inFolder('ca.crt')), 'check', { signal, command: shell('exit 1') })).toBe(1);
    expect(requests).toEqual([`POST /hooks/${TOKEN}?a=b failed`]);
  });

  test('that refuses is an error, which does not repeat its token', async () => {
    status = 410;
    const run = runJob(environment(inFolder('ca.crt')), 'check', { signal, command: shell('exit 1') });
    const { message } = await rejectionOf(run);
    expect(message).toBe(`the message was not delivered: ${new URL(server.url).host} answered HTTP 410`);
    expect(said).not.toContain(TOKEN);
  });

  test('with an unknown certificate gets nothing', async () => {
    await ThrowawayCa.create(folder(), 'other');
    const run = runJob(environment(inFolder('other.crt')), 'check', { signal, command: shell('exit 1') });
    const { message } = await rejectionOf(run);
    expect(message).toMatch(/^the message was not delivered: 127\.0\.0\.1:\d+: .*certificate/);
    expect(message).not.toContain(TOKEN);
    expect(requests).toEqual([]);
  });
});
