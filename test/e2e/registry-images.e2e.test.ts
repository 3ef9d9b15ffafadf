/** A deployment whose images all come from a registry that asks for a login, on a machine that has none of them. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { readToolchain } from '../../config/toolchain';
import { UsageError } from '../../operations/errors';
import { mustSucceed } from '../helpers/e2e/command';
import { ImageRegistry } from '../helpers/e2e/image-registry';
import { measured } from '../helpers/e2e/measured';
import { TestEnvironment } from '../helpers/e2e/test-environment';

const PROGRAMS = ['vault', 'kes', 'minio'] as const;
const ABSENT = `sha256:${'0'.repeat(64)}`;

let environment: TestEnvironment;
let registry: ImageRegistry;
let references: Record<(typeof PROGRAMS)[number], string>;

beforeAll(async () => {
  environment = await TestEnvironment.create();
  registry = await ImageRegistry.start(environment.folderFor('registry'), environment.docker);
  const { images } = readToolchain();
  if (images === undefined) throw new UsageError('no images were built', 'run ./scripts/toolchain');
  const push = async (program: (typeof PROGRAMS)[number]) => [program, await registry.push(program, images[program])];
  references = Object.fromEntries(await Promise.all(PROGRAMS.map(push))) as typeof references;
});

afterAll(async () => {
  await environment.remove();
  await registry.stop();
});

test('an image that cannot be pulled is named with the reason, all of them at once, before anything is deployed', async () => {
  const foreign = await registry.putForeign('foreign', 's390x');
  const images = {
    source: 'registry' as const,
    vault: `${registry.host}/ebs/vault@${ABSENT}`,
    kes: `127.0.0.1:1/ebs/kes@${ABSENT}`,
    minio: foreign,
  };
  environment.write({ images: { ...images, dockerConfigFile: registry.dockerConfigFile } });
  const { code, stderr } = await environment.script('up');
  expect(code).toBe(1);
  expect(stderr).toContain('error: 3 images cannot be pulled:');
  expect(stderr).toMatch(new RegExp(`\\n {2}- images\\.vault, ${images.vault}: manifest unknown`));
  expect(stderr).toMatch(new RegExp(`\\n {2}- images\\.kes, ${images.kes}: .*connection refused`));
  expect(stderr).toContain(`\n  - images.minio, ${foreign}: it is for linux/s390x, the engine is linux/`);
  expect(await environment.belongings()).toEqual({ containers: [], fileVolumes: [], dataVolumes: [], networks: [] });
});

test('a login that is missing, or is not one, is named', async () => {
  environment.write({ images: { source: 'registry', ...references } });
  const without = await environment.script('up');
  expect(without.code).toBe(1);
  expect(without.stderr).toContain('error: 3 images cannot be pulled:');
  expect(without.stderr).toMatch(/images\.minio, .*: (no basic auth credentials|.*unauthorized)/);

  const dockerConfigFile = path.join(environment.folderFor('registry'), 'broken.json');
  writeFileSync(dockerConfigFile, '{"auths": {"x": {"auth": "c2VjcmV0"');
  environment.write({ images: { source: 'registry', ...references, dockerConfigFile } });
  const broken = await environment.script('up');
  expect(broken.code).toBe(64);
  expect(broken.stderr).toContain(`images.dockerConfigFile: ${dockerConfigFile} is not a configuration file of Docker`);
  expect(broken.stderr).not.toContain('c2VjcmV0');
});

test('with one, everything is pulled by digest and deployed', async () => {
  environment.write({
    images: { source: 'registry', ...references, dockerConfigFile: registry.dockerConfigFile },
    buckets: [{ name: 'backup' }],
  });
  for (const reference of Object.values(references)) {
    await expect(environment.docker.getImage(reference).inspect()).rejects.toThrow('no such image');
  }
  const result = mustSucceed(await environment.script('up'));
  measured('./scripts/up with images from a registry', result.seconds);
  expect(result.stderr).toContain('3 can be pulled');
  for (const program of PROGRAMS) {
    const { Image, Config } = await environment.docker.getContainer(environment.containerName(program)).inspect();
    expect(Config.Image).toBe(references[program]);
    expect(await registry.isFromHere(Image)).toBe(true);
  }
});

test('a second deploy changes nothing', async () => {
  const result = mustSucceed(await environment.cdktf(['deploy', '*', '--auto-approve']));
  expect(new Set(Object.values(environment.changes(result)))).toEqual(new Set(['no change']));
});
