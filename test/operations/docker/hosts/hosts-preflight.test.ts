import type Docker from 'dockerode';
import {
  judgeHosts,
  meetHost,
  requireAnswers,
  type SeenEngine,
  type SeenHost,
} from '../../../../operations/docker/hosts/hosts-preflight';
import { thrownBy } from '../../../helpers/thrown';

function host(name: string, seen: Partial<SeenEngine> | { problem: string } = {}, note?: string): SeenHost {
  const engine = { id: `ID-${name}`, machine: `nas-${name}`, version: '27.5.1', architecture: 'x86_64', aheadMs: 0 };
  return {
    name,
    engine: `hosts[0].docker, ssh://${name}`,
    seen: 'problem' in seen ? seen : { ...engine, ...seen },
    ...(note === undefined ? {} : { note: { id: note, name: 'before', host: 'ssh://before' } }),
  };
}

const SILENT = { problem: 'no answer within 10 s' };
const others = [host('b'), host('c')];

test('hosts that answer alike can be one deployment', () => {
  expect(judgeHosts([host('a'), ...others], undefined)).toEqual({ away: [], warnings: [] });
});

describe('hosts cannot be one deployment when', () => {
  test.each<[string, SeenHost[], string | undefined, string[]]>([
    [
      'one is away, and all are needed',
      [host('a', SILENT), ...others],
      'a restore needs every host',
      ['host a does not answer (hosts[0].docker, ssh://a: no answer within 10 s), and a restore needs every host'],
    ],
    [
      'so many are away that no majority is left',
      [host('a', SILENT), host('b', SILENT), host('c')],
      undefined,
      ['a', 'b'].map(
        (name) =>
          `host ${name} does not answer (hosts[0].docker, ssh://${name}: no answer within 10 s); of 3 hosts no more than 1 may be away`,
      ),
    ],
    [
      'one pool of two has no majority, and the other one has',
      [
        host('a'),
        ...others,
        ...['d', 'e', 'f'].map((name) => ({ ...host(name, name === 'd' ? {} : SILENT), pool: 2 })),
      ],
      undefined,
      ['e', 'f'].map(
        (name) =>
          `host ${name} does not answer (hosts[0].docker, ssh://${name}: no answer within 10 s); of 3 hosts of a pool no more than 1 may be away`,
      ),
    ],
    [
      'the Vaults have no majority, and MinIO has',
      ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({
        ...host(name, name === 'a' || name === 'b' ? SILENT : {}),
        hasVault: ['a', 'b', 'c'].includes(name),
      })),
      undefined,
      ['a', 'b'].map(
        (name) =>
          `host ${name} does not answer (hosts[0].docker, ssh://${name}: no answer within 10 s); of 3 hosts with a Vault no more than 1 may be away`,
      ),
    ],
    [
      'two of them are one engine',
      [host('a', { id: 'ID-b', machine: 'nas-b' }), ...others],
      undefined,
      ['hosts a and b are one Docker engine (ID-b, nas-b), and would be lost together'],
    ],
    [
      'two have changed places',
      [host('a', { id: 'ID-b' }, 'ID-a'), host('b', { id: 'ID-a' }, 'ID-b'), host('c', {}, 'ID-c')],
      undefined,
      [
        'host a is the Docker engine on which host b was deployed (ID-b, nas-a)',
        'host b is the Docker engine on which host a was deployed (ID-a, nas-b)',
      ],
    ],
    [
      'their architectures differ',
      [host('a', { architecture: 'aarch64' }), ...others],
      undefined,
      ['the architecture differs, and each image is built for one: a aarch64, b x86_64, c x86_64'],
    ],
    [
      'their major versions of Docker differ, and all are needed',
      [host('a', { version: '20.10.24' }), ...others],
      'a restore needs every host',
      ['the major version of Docker differs, and what works on one may not on another: a 20, b 27, c 27'],
    ],
    [
      'a clock goes wrong by as much as MinIO refuses',
      [host('a', { aheadMs: 8 * 60_000 }), host('b', { aheadMs: -7 * 60_000 }), host('c')],
      undefined,
      ['the clock of host a is 15 min ahead of that of host b, and MinIO refuses what was signed 15 min away'],
    ],
  ])('%s', (_, hosts, needsAll, problems) => {
    const error = thrownBy(() => judgeHosts(hosts, needsAll));
    expect(error.message).toBe(
      ['the hosts cannot be one deployment:', ...problems.map((problem) => `  - ${problem}`)].join('\n'),
    );
  });

  test('all of that is said at once', () => {
    const hosts = [host('a', { architecture: 'aarch64', version: '20.10.24' }), host('b', SILENT), host('c')];
    expect(thrownBy(() => judgeHosts(hosts, 'all are needed')).message.split('\n')).toHaveLength(4);
  });
});

describe('a deploy goes on, and says so, when', () => {
  test.each<[string, SeenHost, string[], string]>([
    [
      'a host is away',
      host('a', SILENT),
      ['a'],
      'host a is away (hosts[0].docker, ssh://a: no answer within 10 s): what is on it is skipped, and deployed when it is back',
    ],
    [
      'a host was replaced',
      host('a', {}, 'ID-old'),
      [],
      'host a has another Docker engine than before (ID-a, nas-a; before ID-old, before): what belongs there is made anew',
    ],
    [
      'a host has a newer Docker',
      host('a', { version: '27.5.2' }),
      [],
      'the version of Docker differs, and a change may work on some hosts only: a 27.5.2, b 27.5.1, c 27.5.1',
    ],
    [
      'Docker is upgraded host by host',
      host('a', { version: '28.0.1' }),
      [],
      'the version of Docker differs, and a change may work on some hosts only: a 28.0.1, b 27.5.1, c 27.5.1',
    ],
    [
      'a clock is off by more than NTP lets it be',
      host('a', { aheadMs: -11_000 }),
      [],
      'the clock of this machine is 11 s ahead of that of host a: have NTP keep both',
    ],
  ])('%s', (_, first, away, warning) => {
    expect(judgeHosts([first, ...others], undefined)).toEqual({ away, warnings: [warning] });
  });
});

test('what needs every host names each one that does not answer', () => {
  const hint = 'a plan needs every host';
  expect(
    thrownBy(() => {
      requireAnswers([host('a', SILENT), host('b'), host('c', SILENT)], hint);
    }),
  ).toMatchObject({
    message: ['a', 'c']
      .map((name) => `host ${name} does not answer (hosts[0].docker, ssh://${name}: no answer within 10 s)`)
      .join('\n'),
    hint,
  });
  expect(() => {
    requireAnswers(others, hint);
  }).not.toThrow();
});

describe('an engine is met', () => {
  const meet = (info: () => Promise<unknown>) =>
    meetHost(
      { name: 'a', address: { host: 'ssh://a', transport: 'ssh', namedBy: 'hosts[0].docker' } },
      { info } as unknown as Docker,
      50,
    );
  const INFO = { ID: 'ID-a', Name: 'nas-a', ServerVersion: '27.5.1', Architecture: 'x86_64' };

  test('with its clock', async () => {
    const SystemTime = new Date(Date.now() + 60_000).toISOString();
    const { seen } = await meet(() => Promise.resolve({ ...INFO, SystemTime }));
    if ('problem' in seen) throw new Error(seen.problem);
    expect(seen).toMatchObject({ id: 'ID-a', machine: 'nas-a', version: '27.5.1', architecture: 'x86_64' });
    expect(seen.aheadMs / 1000).toBeCloseTo(60, 0);
  });

  test.each<[string, () => Promise<unknown>, string]>([
    ['refuses', () => Promise.reject(new Error('connect ECONNREFUSED')), 'connect ECONNREFUSED'],
    ['says nothing', () => new Promise(() => undefined), 'no answer within 0.05 s'],
    ['is something else', () => Promise.resolve({}), 'it is no Docker Engine, or older than 20.10'],
  ])('that %s', async (_, info, problem) => {
    expect((await meet(info)).seen).toEqual({ problem });
  });
});
