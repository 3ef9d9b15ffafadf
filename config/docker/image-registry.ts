/** Names of Docker Hub in image references. */
const DOCKER_HUB = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];

/**
 * The registry of an image reference, as Docker reads it: the first part of the name if it can be a host.
 *
 * @returns host, with its port; undefined for Docker Hub
 */
export function registryOf(reference: string): string | undefined {
  const [first = '', ...rest] = reference.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return isHost && !DOCKER_HUB.includes(first) ? first : undefined;
}
