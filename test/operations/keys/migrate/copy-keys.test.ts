import { randomBytes } from 'node:crypto';
import type { LoadedEnvironment } from '../../../../operations/state/load';
import type { KeyMaterial } from '../../../../operations/keys/material/key-material';
import { copyKeys, requireReadableKeys } from '../../../../operations/keys/migrate/copy-keys';
import { writeCanaries } from '../../../../operations/state/notes/canaries';
import { canaryOf, storedKey } from '../../../helpers/master-key';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';
import { loaded } from '../../checks/fakes';

const folder = useTemporaryFolder();
const KEYS = { archive: randomBytes(32), photos: randomBytes(32) };
const ARCHIVE = storedKey(KEYS.archive);
const PHOTOS = storedKey(KEYS.photos);
const OTHER = storedKey(randomBytes(32));

/** A key store in memory, which tells what is asked of it. */
class Place implements KeyMaterial {
  closed = false;
  readonly held: Map<string, Buffer>;

  constructor(held: Readonly<Record<string, Buffer>>) {
    this.held = new Map(Object.entries(held));
  }
  read = (key: string) => Promise.resolve(this.held.get(key));
  create = (key: string, material: Buffer) => {
    if (this.held.has(key)) throw new Error(`${key} is there`);
    this.held.set(key, material);
    return Promise.resolve('created' as const);
  };
  close = () => {
    this.closed = true;
    return Promise.resolve();
  };
}

function migration(from: Readonly<Record<string, Buffer>>, to: Readonly<Record<string, Buffer>>) {
  const source = loaded(folder());
  const target = loaded(folder());
  const canaries = Object.fromEntries(Object.entries(KEYS).map(([name, key]) => [name, canaryOf(name, key)]));
  writeCanaries(target.state.canaries, canaries);
  const places = { source: new Place(from), target: new Place(to) };
  const opened: (string | undefined)[] = [];
  const open = (which: LoadedEnvironment, configuration?: string) => {
    opened.push(configuration);
    return Promise.resolve(which === source ? places.source : places.target);
  };
  return {
    ...places,
    opened,
    login: target.state.secret.migrationSource,
    copy: () => copyKeys(source, target, open),
    readable: () => requireReadableKeys(source, open),
  };
}

test('keys that are not there are copied, each by its name, and the source keeps them', async () => {
  const { source, target, opened, login, copy } = migration(
    { archive: ARCHIVE, photos: PHOTOS, 'of-others': OTHER },
    { archive: ARCHIVE },
  );
  expect(await copy()).toBe('1 of 2 copied; all open their canaries in the new place');
  expect(Object.fromEntries(target.held)).toEqual({ archive: ARCHIVE, photos: PHOTOS });
  expect([...source.held.keys()]).toEqual(['archive', 'photos', 'of-others']);
  expect(opened).toEqual([undefined, login]);
  expect([source.closed, target.closed]).toEqual([true, true]);
});

test('when all were copied, the source is needed no more', async () => {
  const { opened, copy } = migration({}, { archive: ARCHIVE, photos: PHOTOS });
  expect(await copy()).toBe('0 of 2 copied; all open their canaries in the new place');
  expect(opened).toEqual([undefined]);
});

test('another key under the name of one is left as it is, and nothing is copied', async () => {
  const { target, copy } = migration({ archive: ARCHIVE, photos: PHOTOS }, { photos: OTHER });
  expect(await rejectionOf(copy())).toMatchObject({
    message: 'the new place has other keys named photos; nothing was written over, and KES uses the old place',
    hint: 'move them out of the way there if they are not needed, and run the same command again',
  });
  expect(Object.fromEntries(target.held)).toEqual({ photos: OTHER });
  expect(target.closed).toBe(true);
});

test.each([
  ['lost', {}, 'master key archive is not in the key store'],
  [
    'replaced',
    { archive: OTHER },
    'what the key store holds as master key archive does not open its canary: it was replaced by another',
  ],
])('a key that was %s at the source is not copied', async (_, from, message) => {
  const { source, target, copy } = migration(from, { photos: PHOTOS });
  expect((await rejectionOf(copy())).message).toBe(message);
  expect([...target.held.keys()]).toEqual(['photos']);
  expect(source.closed).toBe(true);
});

test.each(Object.keys(KEYS))('killed after %s was written, the next run copies the rest', async (last) => {
  const { target, copy } = migration({ archive: ARCHIVE, photos: PHOTOS }, {});
  const { create } = target;
  target.create = async (key, material) => {
    await create(key, material);
    if (key === last) throw new Error('killed');
    return 'created';
  };
  expect((await rejectionOf(copy())).message).toBe('killed');
  target.create = create;
  expect(await copy()).toMatch(/^[01] of 2 copied; all open their canaries/);
  expect(Object.fromEntries(target.held)).toEqual({ archive: ARCHIVE, photos: PHOTOS });
});

test('before anything is changed, every key is read at the source', async () => {
  const { source, opened, readable } = migration({ archive: ARCHIVE, photos: PHOTOS }, {});
  expect(await readable()).toBe('2 can be read from here');
  expect(opened).toEqual([undefined]);
  expect(source.closed).toBe(true);
});

test('a key that cannot be read at the source ends the migration before it begins', async () => {
  const { source, readable } = migration({ archive: ARCHIVE }, {});
  expect((await rejectionOf(readable())).message).toBe('master key photos is not in the key store');
  expect(source.closed).toBe(true);
});
