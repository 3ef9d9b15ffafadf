import type { Environment } from '../../config/environment';
import { onEachNode } from './hosts/each-node';
import { HostsHere } from './hosts/hosts-here';
import { requirePullableImages, type WantedImage } from './images-preflight';
import { registryLogin } from './engine/registry-logins';
import type { Step } from '../lib/step';
import { deployedPrograms } from '../toolchain/versions';

/** Asked before anything is deployed from them. */
export function imagesStep(environment: Environment, hosts = new HostsHere()): Step[] {
  const { images } = environment;
  if (images.source !== 'registry') return [];
  const { dockerConfigFile } = images;
  const wanted = deployedPrograms(environment).flatMap((program): WantedImage[] => {
    const reference = images[program];
    return reference === undefined ? [] : [{ setting: `images.${program}`, reference }];
  });
  return [
    {
      title: 'Images',
      run: async () => {
        const found = await onEachNode(hosts.here(environment), async (_, docker) =>
          requirePullableImages({
            images: wanted,
            docker,
            loginOf: (reference) =>
              dockerConfigFile === undefined ? undefined : registryLogin(dockerConfigFile, reference),
          }),
        );
        const here = Math.min(...found.map((one) => one.here));
        const pullable = Math.max(...found.map((one) => one.pullable));
        return [...(here > 0 ? [`${here} here`] : []), ...(pullable > 0 ? [`${pullable} can be pulled`] : [])].join(
          ', ',
        );
      },
    },
  ];
}
