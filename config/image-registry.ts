/**
 * The registry of an image reference, as Docker reads it: the first part of the name if it can be a host.
 *
 * @returns host, with its port; undefined for Docker Hub
 */
export function registryOf(reference: string): string | undefined {
  const [first = '', ...rest] = reference.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : undefined;
}
