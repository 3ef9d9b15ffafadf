import { imageReference, imageSource, type Program } from '../../../config/docker/image-source';
import type { Node } from '../../../config/node';
import { embeddedVault } from '../../../config/vault/vault';
import { onEachNode } from './each-node';
import type { HostsHere } from './hosts-here';
import type { Step } from '../../lib/step';
import type { LoadedEnvironment } from '../../state/load';
import { readToolchain } from '../../toolchain/findings';
import { buildImage } from '../../toolchain/images/push-images';

/**
 * Builds the images on all hosts side by side. Terraform builds them host after host, because each stack waits for the one
 * before; it finds every layer in the cache then.
 */
export function hostImagesStep({ environment }: LoadedEnvironment, hosts: HostsHere): Step {
  const programsOf = (node: Node): Program[] => [
    ...(embeddedVault(environment) !== undefined && node.vault !== undefined ? [node.vault.program] : []),
    ...(['kes', 'minio', 'haproxy'] as const),
  ];
  return {
    title: 'Images on the hosts',
    applies: () => environment.hosts !== undefined && environment.images.source === 'build',
    run: async ({ report, signal }) => {
      const toolchain = readToolchain();
      const built = await onEachNode(hosts.here(environment), async (node, docker) => {
        let count = 0;
        for (const program of programsOf(node)) {
          const source = imageSource({ environment, toolchain }, program);
          if (source.kind !== 'build') continue;
          const reference = imageReference(source);
          if ((await docker.listImages({ filters: { reference: [reference] } })).length > 0) continue;
          report(`${node.host?.name ?? ''}: ${program}`);
          await buildImage(docker, reference, source, signal);
          count += 1;
        }
        return count;
      });
      const total = built.reduce((sum, count) => sum + count, 0);
      return total === 0 ? 'there' : `${total} built`;
    },
  };
}
