import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { catalogue, nonDisruptive } from '../../../operations/checks/catalogue';
import { UsageError } from '../../../operations/lib/errors';
import { parseCheckCall } from '../../../scripts/lib/check-call';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';

const folder = useTemporaryFolder();

test('no arguments: every check that interrupts nothing, of the default environment', () => {
  expect(parseCheckCall([], {})).toEqual({
    kind: 'environment',
    checks: nonDisruptive,
    complete: true,
    disruptive: false,
    json: false,
  });
});

test('--disruptive adds those that interrupt service', () => {
  expect(parseCheckCall(['production', '--disruptive', '--json', '--report', '/reports'], {})).toEqual({
    kind: 'environment',
    environment: 'production',
    checks: catalogue,
    complete: true,
    disruptive: true,
    json: true,
    report: '/reports',
  });
});

test('--only: those checks, in the order of the catalogue', () => {
  const call = parseCheckCall(['--only', 'key-continuity,', '--only', 'kms-ready'], {});
  expect(call).toMatchObject({ complete: false, checks: [{ id: 'kms-ready' }, { id: 'key-continuity' }] });
});

test('--endpoint alone: the system trusts it, nothing is expected, the region is where the SDK would look', () => {
  expect(parseCheckCall(['--endpoint', 'https://s3.test:9000/'], { AWS_REGION: 'eu-central-1' })).toEqual({
    kind: 'endpoint',
    checks: catalogue,
    complete: true,
    json: false,
    endpoint: { url: 'https://s3.test:9000' },
    region: 'eu-central-1',
    expected: { masterKeys: [] },
    tryKnownHoles: false,
  });
});

test('--endpoint with everything that can be said about it', () => {
  const ca = path.join(folder(), 'ca.crt');
  writeFileSync(ca, '-----BEGIN CERTIFICATE-----\n…');
  const keys = ['--default-key', 'one', '--key', 'two', '--key', 'one'];
  const call = parseCheckCall(
    ['--endpoint', 'https://s3.test', '--ca', ca, '--region', 'here', ...keys, '--auto-encryption', 'off'],
    { AWS_REGION: 'there' },
  );
  expect(call).toMatchObject({
    endpoint: { url: 'https://s3.test', caFile: ca },
    region: 'here',
    expected: { defaultKey: 'one', masterKeys: ['one', 'two'], autoEncryption: false },
  });
});

test('--try-known-holes: what a server must refuse is sent to it', () => {
  const call = parseCheckCall(
    ['--endpoint', 'https://s3.test', '--only', 'forged-writes-refused', '--try-known-holes'],
    {},
  );
  expect(call).toMatchObject({ tryKnownHoles: true, checks: [{ id: 'forged-writes-refused' }] });
});

test.each<[string[], string]>([
  [['--only', 'nonsense'], 'there is no check nonsense'],
  [
    ['--only', 'unreadable-without-kes'],
    '--only unreadable-without-kes: interrupts service; add --disruptive if it may',
  ],
  [['--ca', '/ca.crt'], '--ca is for --endpoint; an environment file says it'],
  [['--key', 'one'], '--key is for --endpoint; an environment file says it'],
  [['--try-known-holes'], '--try-known-holes is for --endpoint; an environment is always tried'],
  [
    ['--endpoint', 'https://s3.test', '--only', 'forged-writes-refused'],
    '--only forged-writes-refused: sends what the server must refuse; add --try-known-holes if it may',
  ],
  [['one', 'two'], 'one environment at most, got: one two'],
  [['local', '--endpoint', 'https://s3.test'], '--endpoint takes no environment, got: local'],
  [
    ['--endpoint', 'https://s3.test', '--disruptive'],
    '--disruptive needs an environment: from outside nothing can be restored',
  ],
  ...['kms-ready', 'vault-unsealed'].map((id): [string[], string] => [
    ['--endpoint', 'https://s3.test', '--only', id],
    `--only ${id}: looks at the deployment itself, which --endpoint cannot`,
  ]),
  ...['http://s3.test', 'https://user:secret@s3.test', 'https://s3.test/bucket', 's3.test'].map(
    (url): [string[], string] => [
      ['--endpoint', url],
      '--endpoint must be https:// with a host and a port, and nothing else; nothing is sent in the clear',
    ],
  ),
  [['--endpoint', 'https://s3.test', '--ca', '/nowhere/ca.crt'], '--ca /nowhere/ca.crt cannot be read: ENOENT'],
  [
    ['--endpoint', 'https://s3.test', '--ca', '/etc/passwd'],
    '--ca must be a file with certificates in PEM, got: /etc/passwd',
  ],
  [['--endpoint', 'https://s3.test', '--auto-encryption', 'yes'], '--auto-encryption must be on or off, got: yes'],
])('%j is refused', (args, message) => {
  const error = thrownBy(() => parseCheckCall(args, {}));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message.slice(0, message.length)).toBe(message);
});
