import { createHash } from 'node:crypto';
import { FileVolume, type VolumeFile } from '../../../constructs/docker';
import { DeclarationError } from '../../../constructs/declaration-error';
import { Operation } from '../../../constructs/operation';
import { deploymentWith } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

const deployment = deploymentWith();
const BASE = { name: 'kes-files', deployment, image: 'kes:1' };
const SECRET = '/state/secrets/kes/server.key';
const HASH_OF_SECRET = `\${fileexists("${SECRET}") ? filesha256("${SECRET}") : "absent"}`;

test('a file is carried into a volume by a container that never starts', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  const files = new FileVolume(stack, 'Files', { ...BASE, files: [{ path: 'server.key', source: SECRET }] });

  // THEN
  const synthesized = synth(stack);
  expect(synthesized.resource('docker_volume')).toMatchObject({ name: 'kes-files' });
  expect(synthesized.resource('docker_container')).toMatchObject({
    name: 'kes-files-loader',
    image: 'kes:1',
    start: false,
    must_run: false,
    network_mode: 'none',
    upload: [
      {
        file: '/files/server.key',
        source: SECRET,
        source_hash: HASH_OF_SECRET,
        permissions: '0400',
        owner: '65532',
        group: '65532',
      },
    ],
    volumes: [{ container_path: '/files' }],
  });
  expect(files.name).toBe('kes-files');
  expect(files.versions).toEqual({ 'server.key': HASH_OF_SECRET });
});

test('files come from a path with a version of its own, or carry their content, and can wait', () => {
  // GIVEN
  const stack = newStack();
  const before = new Operation(stack, 'Before', {
    runner: { program: 'run' },
    operation: 'create-root-credentials',
    input: { configEnvFile: '/a', rootFile: '/b' },
  });
  const content = '{"ui": false}';

  // WHEN
  const files = new FileVolume(stack, 'Files', {
    ...BASE,
    files: [
      { path: 'share', source: '/state/secrets/share', version: 'run 7' },
      { path: 'certs/CAs/ca.crt', source: '/state/tls/ca.crt' },
      { path: 'vault.json', content },
    ],
    dependsOn: [before.dependable],
  });

  // THEN
  const loader = synth(stack).resource('docker_container');
  expect(loader.depends_on).toEqual([expect.stringMatching(/^terraform_data\.Before/)]);
  expect(loader.upload).toMatchObject([
    { file: '/files/share', source: '/state/secrets/share', source_hash: 'run 7' },
    { file: '/files/certs/CAs/ca.crt', source: '/state/tls/ca.crt' },
    { file: '/files/vault.json', content },
  ]);
  expect(files.versions).toMatchObject({
    share: 'run 7',
    'vault.json': createHash('sha256').update(content).digest('hex'),
  });
});

describe('a file that an operation makes', () => {
  const declare = (sameStack: boolean) => {
    const stack = newStack();
    const shared = deploymentWith();
    const maker = new Operation(sameStack ? stack : newStack(), 'Maker', {
      runner: { program: 'run' },
      operation: 'create-root-credentials',
      input: { configEnvFile: SECRET, rootFile: '/b' },
    });
    shared.made(maker, SECRET, maker.runId);
    new FileVolume(stack, 'Files', { ...BASE, deployment: shared, files: [{ path: 'server.key', source: SECRET }] });
    const [upload] = synth(stack).resource('docker_container').upload as { source_hash: string }[];
    return upload?.source_hash;
  };

  test('in the same stack is not known to the plan, which would find it absent', () => {
    expect(declare(true)).toMatch(/^\$\{terraform_data\.Maker_.*\.id\} \$\{fileexists/);
  });

  test('in another stack is there when this one is planned', () => {
    expect(declare(false)).toBe(HASH_OF_SECRET);
  });
});

test.each<[string, readonly VolumeFile[], string]>([
  ['no path', [{ path: '', source: '/a' }], '`files.path` must be a path inside the volume, got: '],
  ['an absolute path', [{ path: '/a', source: '/a' }], '`files.path` must be a path inside the volume, got: /a'],
  [
    'a path that leads out',
    [{ path: 'a/../../b', source: '/a' }],
    '`files.path` must be a path inside the volume, got: a/../../b',
  ],
  [
    'one path twice',
    [
      { path: 'a', source: '/a' },
      { path: 'a', content: 'a' },
    ],
    '`files.path` must be unique, got: a twice',
  ],
])('%s is refused', (_, files, problem) => {
  const error = thrownBy(() => new FileVolume(newStack(), 'Files', { ...BASE, files }));
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe(`stack/Files: ${problem}`);
});
