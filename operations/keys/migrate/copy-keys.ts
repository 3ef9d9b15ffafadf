/** Copies master keys from one key store to another, with the rights of KES, as backup and restore read and write them. */
import type { LoadedEnvironment } from '../../state/load';
import { nodesOf } from '../../../config/node';
import { dockerEngine, volumeExists } from '../../docker/docker';
import { ExternalError } from '../../lib/errors';
import { type Canaries, readCanaries } from '../../state/notes/canaries';
import { opensCanary } from '../canaries';
import type { KeyMaterial } from '../material/key-material';
import { openKeyMaterial } from '../material/open';
import { provenKey } from '../material/proven-key';

/**
 * Copies every key that has a canary and is not in the target, each by its name: the source may hold what is none of
 * this environment. Nothing is overwritten, and nothing is deleted at the source.
 *
 * @param source the environment as it was deployed
 * @param target the environment as it shall become
 * @returns how many were copied
 * @throws ExternalError unless every canary is opened by the bytes in the target
 */
export async function copyKeys(
  source: LoadedEnvironment,
  target: LoadedEnvironment,
  open = openKeyMaterial,
): Promise<string> {
  const canaries = readCanaries(target.state.canaries);
  return withKeys(await open(target), async (to) => {
    const missing = await missingKeys(
      to,
      canaries,
      'move them out of the way there if they are not needed, and run the same command again',
    );
    // what was copied before needs no source
    if (missing.length > 0) {
      await withKeys(await open(source, target.state.secret.migrationSource), async (from) => {
        for (const key of missing) await to.create(key, await provenKey(from, key, source));
      });
    }
    for (const key of missing) await provenKey(to, key, target);
    return `${missing.length} of ${Object.keys(canaries).length} copied; all open their canaries in the new place`;
  });
}

/**
 * Reads every key at the source, as the copy will, before anything is changed: KES is somewhere else, and what it proves
 * does not say that this machine can log in.
 *
 * @throws ExternalError unless each opens its canary
 */
export async function requireReadableKeys(source: LoadedEnvironment, open = openKeyMaterial): Promise<string> {
  const keys = Object.keys(readCanaries(source.state.canaries));
  await withKeys(await open(source), async (from) => {
    for (const key of keys) await provenKey(from, key, source);
  });
  return `${keys.length} can be read from here`;
}

/**
 * Refuses a target that has another key of the same name, before anything is changed: names of secrets in AWS, and of
 * files in a folder, have no prefix. A mount in Vault has one, and KES cannot log in there yet.
 *
 * @throws ExternalError that names the keys
 */
export async function requireNoOtherKeys(target: LoadedEnvironment): Promise<string> {
  if (!(await canBeRead(target))) return 'new';
  const canaries = readCanaries(target.state.canaries);
  return withKeys(await openKeyMaterial(target), async (to) => {
    const total = Object.keys(canaries).length;
    const missing = await missingKeys(
      to,
      canaries,
      'they may belong to another environment, so leave them there: choose another place (region, account, folder)',
    );
    return `${total - missing.length} of ${total} are there already`;
  });
}

/** Whether the place is there before the deploy. */
async function canBeRead({ environment }: LoadedEnvironment): Promise<boolean> {
  const { keyStore, docker } = environment;
  if (keyStore.type !== 'filesystem') return keyStore.type === 'aws';
  return keyStore.path !== undefined || volumeExists(dockerEngine(docker), nodesOf(environment)[0].kes.keyVolume);
}

/**
 * @param hint what to do about others
 * @throws ExternalError that names the keys of which others are there
 */
async function missingKeys(place: KeyMaterial, canaries: Canaries, hint: string): Promise<string[]> {
  const missing: string[] = [];
  const others: string[] = [];
  for (const [key, canary] of Object.entries(canaries)) {
    const material = await place.read(key);
    if (material === undefined) missing.push(key);
    else if (!opensCanary(material, key, canary)) others.push(key);
  }
  if (others.length === 0) return missing;
  throw new ExternalError(
    `the new place has other keys named ${others.join(', ')}; nothing was written over, and KES uses the old place`,
    hint,
  );
}

async function withKeys<T>(keys: KeyMaterial, use: (keys: KeyMaterial) => Promise<T>): Promise<T> {
  try {
    return await use(keys);
  } finally {
    await keys.close();
  }
}
