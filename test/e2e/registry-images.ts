import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { mustSucceed } from '../helpers/e2e/command';
import { pushImage } from '../../operations/toolchain/images/push-images';
import { type ImageRegistry, REGISTRY_LOGIN } from '../helpers/e2e/servers/image-registry';
import { buildUnguardedImage } from '../helpers/e2e/unguarded-image';
import type { TestEnvironment } from '../helpers/e2e/test-environment';

/** With an external Vault no other runs. */
const PROGRAMS = ['kes', 'minio'] as const;
const ABSENT = `sha256:${'0'.repeat(64)}`;

const printedBlock = z.strictObject({
  images: z.strictObject({
    source: z.literal('registry'),
    vault: z.string(),
    kes: z.string(),
    minio: z.string(),
    dockerConfigFile: z.string(),
  }),
});
export type ImagesBlock = z.infer<typeof printedBlock>['images'];

interface Subject {
  readonly environment: TestEnvironment;
  readonly registry: ImageRegistry;
  readonly images: ImagesBlock;
}

/** What `./scripts/images push` prints; none of what it pushed has a name of the registry on this machine afterwards. */
export async function pushImages(environment: TestEnvironment, registry: ImageRegistry): Promise<ImagesBlock> {
  const target = `${registry.host}/ebs/backup`;
  const login = ['--docker-config', registry.dockerConfigFile];
  const { stdout } = mustSucceed(await environment.scriptWith('images', ['push', target, ...login]));
  const { images } = printedBlock.parse(parse(stdout));
  for (const program of PROGRAMS) {
    expect(images[program]).toMatch(new RegExp(`^${target}/${program}@sha256:[0-9a-f]{64}$`));
  }
  return images;
}

/** The images with a MinIO that has no guard, and has its program elsewhere, as forks have it. */
export async function pushUnguarded({ environment, registry, images }: Subject, program: string) {
  const { docker } = environment;
  const repository = `${registry.host}/ebs/fork`;
  const tag = `${repository}:test`;
  await buildUnguardedImage(docker, tag, images.minio, program);
  const digest = await pushImage(docker, tag, REGISTRY_LOGIN);
  await docker.getImage(tag).remove({ noprune: true });
  return { ...images, minio: `${repository}@${digest}`, programs: { minio: program } };
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
      expect(await environment.dockerResources()).toEqual({
        containers: [],
        fileVolumes: [],
        dataVolumes: [],
        networks: [],
      });
    });

    test('a login that is missing, or is not one, is named', async () => {
      const { environment, images: pushed } = subject();
      const { dockerConfigFile: _, ...images } = pushed;
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

/** Who may not push is told so, and nothing is left of the try. */
export function describePushes(subject: () => Omit<Subject, 'images'>): void {
  test('a push without a login names the image and the reason', async () => {
    const { environment, registry } = subject();
    const dockerConfigFile = path.join(environment.folderFor('registry'), 'nobody.json');
    writeFileSync(dockerConfigFile, '{}');
    const target = `${registry.host}/ebs/refused`;
    const refused = await environment.scriptWith('images', ['push', target, '--docker-config', dockerConfigFile]);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toBe('');
    expect(refused.stderr).toMatch(
      new RegExp(`error: ${target}/vault:[0-9a-f]{16} cannot be pushed: (no basic auth credentials|.*unauthorized)`),
    );
    expect(await environment.docker.listImages({ filters: { reference: [`${target}/*`] } })).toEqual([]);
  });
}

/** No image that the deployment needs is on this machine under a name of the registry. */
export async function requireNoImageHere({ environment, images }: Subject): Promise<void> {
  for (const program of PROGRAMS) {
    await expect(environment.docker.getImage(images[program]).inspect()).rejects.toThrow('no such image');
  }
}

/** Every container runs an image that was pulled, by its digest. */
export async function requirePulledImages({ environment, images }: Subject): Promise<void> {
  for (const program of PROGRAMS) {
    const { Image, Config } = await environment.docker.getContainer(environment.containerName(program)).inspect();
    expect(Config.Image).toBe(images[program]);
    const { RepoDigests } = await environment.docker.getImage(Image).inspect();
    expect(RepoDigests).toContain(images[program]);
  }
}
