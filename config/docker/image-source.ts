/** Where the images of an environment come from, and how containers name them. */
import { UsageError } from '../../operations/lib/errors';
import type { Environment, VaultDistribution } from '../environment';
import type { Toolchain } from '../toolchain';
import { registryOf } from './image-registry';

/** The programs of a deployment: with an embedded Vault that, or the OpenBao in its place. */
export type Program = VaultDistribution | 'kes' | 'minio' | 'haproxy';

/** Where an image comes from. */
export type ImageSource =
  | {
      /** Build from a folder that holds a Dockerfile. */
      readonly kind: 'build';
      /** Repository part of the image's name. */
      readonly repository: string;
      /** Absolute path of the build context. */
      readonly context: string;
      /** SHA-256 over the context; becomes the tag, so that other content is another image. */
      readonly hash: string;
    }
  | {
      readonly kind: 'registry';
      /** A reference with a digest. */
      readonly reference: string;
    };

/**
 * Where the image of a program comes from.
 *
 * @throws UsageError if images are to be built and the toolchain step has not run
 */
export function imageSource(
  { environment, toolchain }: { readonly environment: Environment; readonly toolchain: Toolchain },
  program: Program,
): ImageSource {
  if (environment.images.source === 'registry') {
    const reference = environment.images[program];
    if (reference === undefined) throw new UsageError(`images.${program}: must be given, got nothing`);
    return { kind: 'registry', reference };
  }
  const built = toolchain.images?.[program];
  if (built === undefined) {
    throw new UsageError(
      'the images of this environment are to be built, but nothing was built yet',
      'run ./scripts/toolchain (./scripts/up does it, too)',
    );
  }
  return { kind: 'build', repository: `encrypted-backup-storage/${program}`, ...built };
}

/** The name by which a container asks for an image. It needs no look-up, so other stacks can use it. */
export function imageReference(source: ImageSource): string {
  return source.kind === 'registry' ? source.reference : `${source.repository}:${source.hash.slice(0, 16)}`;
}

/** The registries from which images are pulled with a login: for each the file that holds it. */
export function registryLogins({ images }: Environment): { address: string; configFile: string }[] {
  if (images.source !== 'registry' || images.dockerConfigFile === undefined) return [];
  const { dockerConfigFile } = images;
  const registries = [images.vault, images.openbao, images.kes, images.minio, images.haproxy].flatMap((reference) =>
    reference === undefined ? [] : [registryOf(reference) ?? 'registry-1.docker.io'],
  );
  return [...new Set(registries)].map((address) => ({ address, configFile: dockerConfigFile }));
}
