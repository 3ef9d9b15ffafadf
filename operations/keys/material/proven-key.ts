import type { LoadedEnvironment } from '../../state/load';
import { ExternalError } from '../../lib/errors';
import { readCanaries } from '../../state/notes/canaries';
import { opensCanary } from '../canaries';
import type { KeyMaterial } from './key-material';

/**
 * The bytes of a master key, proven themselves: KES has keys in memory, so what it opens says nothing about one that
 * was replaced in the key store a moment ago.
 *
 * @throws ExternalError if it is not there, or not the one that made its canary
 */
export async function provenKey(
  store: Pick<KeyMaterial, 'read'>,
  key: string,
  { argument, state }: LoadedEnvironment,
): Promise<Buffer> {
  const material = await store.read(key);
  if (material === undefined)
    throw new ExternalError(`master key ${key} is not in the key store`, 'put it back from a backup: docs/recovery.md');
  const canary = readCanaries(state.canaries)[key];
  if (canary === undefined) {
    throw new ExternalError(
      `master key ${key} has no canary and cannot be verified`,
      `deploy first: ./scripts/up ${argument}`,
    );
  }
  if (opensCanary(material, key, canary)) return material;
  throw new ExternalError(
    `what the key store holds as master key ${key} does not open its canary: it was replaced by another`,
    'put the old key back under its name, and the other one aside if anything was written under it since; an older backup has the old one',
  );
}
