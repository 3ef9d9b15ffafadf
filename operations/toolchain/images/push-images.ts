/** Pushes the images that were built here to a registry, from where other machines pull them by digest. */
import type Docker from 'dockerode';
import { readdirSync } from 'node:fs';
import type { ImageContext, Toolchain } from '../../../config/toolchain';
import { ExternalError, messageOf, UsageError } from '../../lib/errors';
import type { RegistryLogin } from '../../docker/engine/registry-logins';
import type { WorkOptions } from '../cache';

/** A registry with a path, without scheme, tag or digest. Source: github.com/distribution/reference, regexp.go. */
const TARGET =
  /^(?:localhost|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+|[a-zA-Z0-9.-]+(?=:))(?::\d+)?(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+$/;

/** Repositories by program, as `images:` of an environment has them. */
export type PushedImages = { readonly [program in keyof NonNullable<Toolchain['images']>]: string };

/** @throws UsageError where that is no place in a registry */
export function requirePushTarget(target: string | undefined): string {
  if (target !== undefined && TARGET.test(target)) return target;
  throw new UsageError(
    `REGISTRY/PATH must be a registry and a path in it, in lower case and without a tag, such as registry.example.org/backup, got: ${target ?? 'nothing'}`,
    'See ./scripts/images --help. Docker Hub is docker.io/ACCOUNT.',
  );
}

interface ProgressEvent {
  readonly error?: string;
  readonly status?: string;
  readonly aux?: { readonly Digest?: string };
}

/**
 * Builds each image from its context, as a deployment does, pushes it as `TARGET/PROGRAM:CONTENT` and takes the name of the
 * registry from it again.
 *
 * @returns references by digest
 * @throws ExternalError where an image cannot be built or pushed
 */
export async function pushImages(
  images: NonNullable<Toolchain['images']>,
  target: string,
  docker: Docker,
  login: RegistryLogin | undefined,
  options: WorkOptions = {},
): Promise<PushedImages> {
  const push = async (program: keyof typeof images, image: ImageContext): Promise<string> => {
    const repository = `${target}/${program}`;
    const tag = `${repository}:${image.hash.slice(0, 16)}`;
    options.onProgress?.(`building ${program}`);
    await buildImage(docker, tag, image, options.signal);
    try {
      options.onProgress?.(`pushing ${tag}`);
      return `${repository}@${await pushImage(docker, tag, login, options.signal)}`;
    } finally {
      await forget(docker, tag);
    }
  };
  const { vault, openbao, kes, minio, haproxy } = images;
  return {
    ...(vault === undefined ? {} : { vault: await push('vault', vault) }),
    ...(openbao === undefined ? {} : { openbao: await push('openbao', openbao) }),
    kes: await push('kes', kes),
    minio: await push('minio', minio),
    ...(haproxy === undefined ? {} : { haproxy: await push('haproxy', haproxy) }),
  };
}

/** @throws ExternalError where Docker cannot build it */
export async function buildImage(
  docker: Docker,
  tag: string,
  { context }: Pick<ImageContext, 'context'>,
  signal?: AbortSignal,
): Promise<void> {
  try {
    const stream = await docker.buildImage(
      { context, src: readdirSync(context) },
      { t: tag, ...(signal !== undefined && { abortSignal: signal }) },
    );
    await finished(docker, stream);
  } catch (error) {
    signal?.throwIfAborted();
    throw new ExternalError(`Docker cannot build ${tag}: ${messageOf(error)}`);
  }
}

/**
 * Pushes an image that the engine has.
 *
 * @returns its digest
 */
export async function pushImage(
  docker: Docker,
  tag: string,
  login: RegistryLogin | undefined,
  signal?: AbortSignal,
): Promise<string> {
  try {
    const stream = await docker.getImage(tag).push({
      // Docker wants the header also where there is no login
      authconfig: login ?? {},
      ...(signal !== undefined && { abortSignal: signal }),
    } as Docker.ImagePushOptions);
    const events = await finished(docker, stream);
    const digest = events.map(({ aux }) => aux?.Digest).find((found) => found !== undefined);
    if (digest === undefined) throw new Error('the registry named no digest');
    return digest;
  } catch (error) {
    signal?.throwIfAborted();
    throw new ExternalError(
      `${tag} cannot be pushed: ${messageOf(error).trim()}`,
      login === undefined
        ? 'No login for this registry was found: docker login, or name the file with it by --docker-config.'
        : 'The Docker Engine has to reach the registry, and the login has to be one that may push there.',
    );
  }
}

/** Takes a name from an image; its layers stay, because other images share them. */
async function forget(docker: Docker, name: string): Promise<void> {
  try {
    await docker.getImage(name).remove({ noprune: true });
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode !== 404) throw error;
  }
}

async function finished(docker: Docker, stream: NodeJS.ReadableStream): Promise<ProgressEvent[]> {
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error: Error | null, events: ProgressEvent[]) => {
      const failed = error ?? events.find(({ error: text }) => text !== undefined);
      if (failed) reject(failed instanceof Error ? failed : new Error(failed.error));
      else resolve(events);
    });
  });
}
