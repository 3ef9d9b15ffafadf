import type { Environment } from '../../config/environment';
import { embeddedVault } from '../../config/vault/vault';
import { dockerEngine } from '../../operations/docker/docker';
import { requirePullableImages, type WantedImage } from '../../operations/docker/images-preflight';
import { registryLogin } from '../../operations/docker/registry-logins';
import type { Step } from '../../operations/lib/step';

/** Asked before anything is deployed from them. */
export function imagesStep(environment: Environment): Step[] {
  const { images, docker } = environment;
  if (images.source !== 'registry') return [];
  const { dockerConfigFile } = images;
  const wanted = (['vault', 'kes', 'minio', 'haproxy'] as const).flatMap((program): WantedImage[] => {
    const reference = images[program];
    const needed =
      program === 'vault'
        ? embeddedVault(environment) !== undefined
        : program !== 'haproxy' || environment.hosts !== undefined;
    return needed && reference !== undefined ? [{ setting: `images.${program}`, reference }] : [];
  });
  return [
    {
      title: 'Images',
      run: async () => {
        const { here, pullable } = await requirePullableImages({
          images: wanted,
          docker: dockerEngine(docker),
          loginOf: (reference) =>
            dockerConfigFile === undefined ? undefined : registryLogin(dockerConfigFile, reference),
        });
        return [...(here > 0 ? [`${here} here`] : []), ...(pullable > 0 ? [`${pullable} can be pulled`] : [])].join(
          ', ',
        );
      },
    },
  ];
}
