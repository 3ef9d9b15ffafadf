import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../../operations/errors';
import { readToolchain } from '../../config/toolchain';
import type { ImageRegistry } from '../helpers/e2e/image-registry';
import type { TestEnvironment } from '../helpers/e2e/test-environment';

/** With an external Vault no other runs. */
const PROGRAMS = ['kes', 'minio'] as const;
const ABSENT = `sha256:${'0'.repeat(64)}`;

type References = Record<(typeof PROGRAMS)[number], string>;

interface Subject {
  readonly environment: TestEnvironment;
  readonly registry: ImageRegistry;
  readonly references: References;
}

/** Builds and pushes what the deployment pulls, and leaves none of it on this machine. */
export async function pushImages(registry: ImageRegistry): Promise<References> {
  const { images } = readToolchain();
  if (images === undefined) throw new UsageError('no images were built', 'run ./scripts/toolchain');
  const [kes, minio] = await Promise.all(PROGRAMS.map((program) => registry.push(program, images[program])));
  return { kes: kes ?? '', minio: minio ?? '' };
}

/** Before anything is deployed. */
export function describeImagesThatCannotBePulled(subject: () => Subject): void {
  describe('images of a registry', () => {
    test('one that cannot be pulled is named with the reason, all of them at once', async () => {
      const { environment, registry } = subject();
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
      expect(await environment.belongings()).toEqual({
        containers: [],
        fileVolumes: [],
        dataVolumes: [],
        networks: [],
      });
    });

    test('a login that is missing, or is not one, is named', async () => {
      const { environment, registry, references } = subject();
      const images = { source: 'registry' as const, vault: `${registry.host}/ebs/vault@${ABSENT}`, ...references };
      environment.write({ images });
      const without = await environment.script('up');
      expect(without.code).toBe(1);
      expect(without.stderr).toContain('error: 3 images cannot be pulled:');
      expect(without.stderr).toMatch(/images\.minio, .*: (no basic auth credentials|.*unauthorized)/);

      const dockerConfigFile = path.join(environment.folderFor('registry'), 'broken.json');
      writeFileSync(dockerConfigFile, '{"auths": {"x": {"auth": "c2VjcmV0"');
      environment.write({ images: { ...images, dockerConfigFile } });
      const broken = await environment.script('up');
      expect(broken.code).toBe(64);
      expect(broken.stderr).toContain(
        `images.dockerConfigFile: ${dockerConfigFile} is not a configuration file of Docker`,
      );
      expect(broken.stderr).not.toContain('c2VjcmV0');
    });
  });
}

/** No image that the deployment needs is on this machine. */
export async function requireNoImageHere({ environment, references }: Subject): Promise<void> {
  for (const reference of Object.values(references)) {
    await expect(environment.docker.getImage(reference).inspect()).rejects.toThrow('no such image');
  }
}

/** Every container runs an image that was pulled, by its digest. */
export async function requirePulledImages({ environment, registry, references }: Subject): Promise<void> {
  for (const program of PROGRAMS) {
    const { Image, Config } = await environment.docker.getContainer(environment.containerName(program)).inspect();
    expect(Config.Image).toBe(references[program]);
    expect(await registry.isFromHere(Image)).toBe(true);
  }
}
