import { readAccessKeys, writeAccessKeys } from '../../../../operations/minio/clients/access-keys';
import { finishClient, requireRotatable, rotateClient } from '../../../../operations/minio/clients/rotate-client';
import { clientFile } from '../../../../config/state/layout';
import { Secret } from '../../../../operations/lib/secret';
import { UsageError } from '../../../../operations/lib/errors';
import { Rotation } from '../../../../operations/state/rotation';
import type { LoadedEnvironment } from '../../../../operations/state/load';
import type { RotationContext } from '../../../../operations/state/rotation-context';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { thrownBy } from '../../../helpers/thrown';
import { loaded } from '../../checks/fakes';

const folder = useTemporaryFolder();
const TEXT = `name: test
buckets: [{ name: backup }]
clients: [{ name: nas, access: [{ bucket: backup, may: read }], expireDays: 90 }]`;

const environment = (): LoadedEnvironment => loaded(folder(), TEXT);
const file = (): string => clientFile(environment().state.secret.clients, 'nas');
const key = (accessKey: string, expires?: string) => ({
  accessKey,
  secretKey: new Secret('0123456789'),
  ...(expires === undefined ? {} : { expires }),
});
const context = (): RotationContext => ({
  loaded: environment(),
  rotation: Rotation.begin(environment().state, 'client nas', 'test'),
  deploy: () => ({ title: 'nothing', run: async () => Promise.resolve(undefined) }),
  prove: async () => Promise.resolve(''),
});
const phase = async (name: string, days?: number): Promise<unknown> =>
  rotateClient(context(), 'nas', days)
    .find(({ id }) => id === name)
    ?.run({ report: () => undefined, announce: () => undefined, signal: new AbortController().signal });

test('the new key takes the place of the old one, which goes on beside it until its own end', async () => {
  writeAccessKeys(file(), { current: key('old', '2026-12-20T00:00:00Z') });
  await phase('make');
  const { current, previous } = readAccessKeys(file()) ?? {};
  expect(current?.accessKey).toMatch(/^[0-9a-f]{20}$/);
  expect(current?.expires).toBeDefined();
  expect(previous).toMatchObject({ accessKey: 'old', expires: '2026-12-20T00:00:00Z' });
});

test('with days the old one ends after them, and never later than it would have', async () => {
  writeAccessKeys(file(), { current: key('old') });
  await phase('make', 7);
  const end = new Date(readAccessKeys(file())?.previous?.expires ?? '').getTime() - Date.now();
  expect(Math.round(end / 3600_000)).toBe(7 * 24);
});

test('a run that was killed after the file was written makes no third key', async () => {
  writeAccessKeys(file(), { current: key('old') });
  await phase('make');
  const before = readAccessKeys(file());
  await phase('make');
  expect(readAccessKeys(file())?.current.accessKey).toBe(before?.current.accessKey);
  expect(readAccessKeys(file())?.previous?.accessKey).toBe('old');
});

test.each<[string, string, boolean, 'none' | 'one' | 'two', string, string | undefined]>([
  [
    'a client that is not declared',
    'other',
    false,
    'one',
    'NAME: must be a declared client (nas), got: other',
    undefined,
  ],
  ['no key yet', 'nas', false, 'none', 'client nas has no access key yet', 'deploy it with: ./scripts/up test'],
  [
    'two keys already',
    'nas',
    false,
    'two',
    'client nas has two access keys already: old is the old one',
    'end it first: ./scripts/rotate client nas test --finish',
  ],
  [
    'nothing to end',
    'nas',
    true,
    'one',
    'client nas has one access key: there is no old one to end',
    'begin with: ./scripts/rotate client nas test',
  ],
])('refused: %s', (_, name, finish, keys, message, hint) => {
  if (keys !== 'none') {
    writeAccessKeys(file(), { current: key('new'), ...(keys === 'two' ? { previous: key('old') } : {}) });
  }
  const error = thrownBy(() => {
    requireRotatable(environment(), name, finish);
  });
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(message);
  expect(error).toHaveProperty('hint', hint);
});

test('an old key that has ended by itself is in nobody’s way', () => {
  writeAccessKeys(file(), { current: key('new'), previous: key('old', '2020-01-01T00:00:00Z') });
  expect(() => {
    requireRotatable(environment(), 'nas', false);
  }).not.toThrow();
});

test('ending asks first whether the new key works', () => {
  expect(finishClient(context(), 'nas').map(({ id }) => id)).toEqual(['prove', 'end']);
});
