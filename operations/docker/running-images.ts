import type { Program } from '../../config/docker/image-source';
import type { Node } from '../../config/node';
import { onEachNode } from './hosts/each-node';

/** For each program the images of its containers, each once; none where there is no container. */
export type RunningImages = Readonly<Partial<Record<Program, readonly string[]>>>;

/** The images of the containers that there are, running or not. */
export async function runningImages(nodes: readonly Node[]): Promise<RunningImages> {
  const found = await onEachNode(nodes, async ({ vault, kes, minio, balancer }, docker) => {
    const containers = {
      ...(vault === undefined ? {} : { [vault.program]: vault }),
      ...{ kes, minio, haproxy: balancer },
    };
    const images: [Program, string][] = [];
    for (const [program, service] of Object.entries(containers) as [Program, typeof balancer][]) {
      if (service === undefined) continue;
      const [container] = await docker.listContainers({
        all: true,
        filters: { name: [`^/${service.container}$`] },
      });
      if (container === undefined) continue;
      // a list shows the id of an image whose name another one has now
      const { Config } = await docker.getContainer(container.Id).inspect();
      images.push([program, Config.Image]);
    }
    return images;
  });
  const images: Partial<Record<Program, string[]>> = {};
  for (const [program, image] of found.flat()) {
    const known = (images[program] ??= []);
    if (!known.includes(image)) known.push(image);
  }
  return images;
}
