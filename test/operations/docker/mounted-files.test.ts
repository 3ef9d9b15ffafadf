import type Docker from 'dockerode';
import { Readable } from 'node:stream';
import { type MountSource, withMountedFiles } from '../../../operations/docker/mounted-files';

/** A Docker with a volume that has an owner; it notes what was made and what was removed. */
function fakeDocker() {
  const seen: unknown[] = [];
  const remove = (what: string) => () => Promise.resolve(void seen.push(`${what} removed`));
  const docker = {
    importImage: () => Promise.resolve(Readable.from(['imported'])),
    getImage: () => ({ remove: remove('image') }),
    getVolume: () => ({ inspect: () => Promise.resolve({ Labels: { owner: 'demo' } }) }),
    createContainer: ({ Labels }: Docker.ContainerCreateOptions) => {
      seen.push(Labels);
      return Promise.resolve({ remove: remove('container') });
    },
  };
  return { docker: docker as unknown as Docker, seen };
}

// what a kill leaves here is found by `down` by that label, and would else hold the volume
test.each<[string, MountSource, Record<string, string>]>([
  ['volume belongs to the owner of the volume', { volume: 'ebs-demo-minio-data' }, { owner: 'demo' }],
  ['folder belongs to nobody, and holds nothing', { folder: '/keys' }, {}],
])('the container that mounts a %s, and goes even if its use fails', async (_, source, labels) => {
  const { docker, seen } = fakeDocker();
  const use = withMountedFiles(docker, source, 0, () => Promise.reject(new Error('disk full')));
  await expect(use).rejects.toThrow('disk full');
  expect(seen).toEqual([labels, 'container removed', 'image removed']);
});
