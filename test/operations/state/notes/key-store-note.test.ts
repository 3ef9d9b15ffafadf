import { writeFileSync } from 'node:fs';
import { declaredPlace } from '../../../../config/keys/key-store-place';
import { parseEnvironment } from '../../../../config/load';
import { UsageError } from '../../../../operations/lib/errors';
import { requireSameKeyStore, writeKeyStoreNote } from '../../../../operations/state/notes/key-store-note';
import { stateLayout } from '../../../../config/state/layout';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { thrownBy } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const environment = (settings: string) => parseEnvironment(`name: home\n${settings}`, 'test.yaml');
const EMBEDDED = environment('');
const EXTERNAL = environment('vault: { mode: external, address: "https://vault.example.org" }');

describe('a deploy', () => {
  const deployedWith = (settings: string) => {
    const state = stateLayout('home', folder());
    writeKeyStoreNote(state.keyStore, declaredPlace(environment(settings), {}));
    return state;
  };

  test('goes on where the keys are, and when there are none yet', () => {
    requireSameKeyStore(EMBEDDED, {}, stateLayout('home', folder()));
    requireSameKeyStore(EMBEDDED, {}, deployedWith(''));
    requireSameKeyStore(environment('keyStore: { type: vault, approle: { tokenPeriod: 1h } }'), {}, deployedWith(''));
  });

  test.each([
    ['', 'keyStore: { type: filesystem }', 'the embedded Vault, kes/home (KV v2)', 'a volume of the Docker host'],
    [
      '',
      'keyStore: { type: vault, kvVersion: 1 }',
      'the embedded Vault, kes/home (KV v2)',
      'the embedded Vault, kes/home (KV v1)',
    ],
    [
      '',
      'keyStore: { type: vault, prefix: x }',
      'the embedded Vault, kes/home (KV v2)',
      'the embedded Vault, kes/x (KV v2)',
    ],
    [
      '',
      'vault: { mode: embedded, distribution: openbao }',
      'the embedded Vault, kes/home (KV v2)',
      'the embedded OpenBao, kes/home (KV v2)',
    ],
    [
      'vault: { mode: embedded, distribution: openbao }',
      '',
      'the embedded OpenBao, kes/home (KV v2)',
      'the embedded Vault, kes/home (KV v2)',
    ],
    [
      'keyStore: { type: filesystem }',
      'keyStore: { type: filesystem, path: /srv/keys }',
      'a volume of the Docker host',
      'folder /srv/keys of the Docker host',
    ],
  ])('of %j is refused when the file says %j', (before, after, deployed, declared) => {
    const state = deployedWith(before);
    const error = thrownBy(() => {
      requireSameKeyStore(environment(after), {}, state);
    });
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(`keyStore: environment home keeps its master keys in ${deployed}, got: ${declared}`);
  });

  test('is refused over a note that cannot be read', () => {
    const state = stateLayout('home', folder());
    writeFileSync(state.keyStore, '{"version": 1, "place": {"type": "vault"');
    expect(() => {
      requireSameKeyStore(EMBEDDED, {}, state);
    }).toThrow();
  });
});

describe('while keys are on their way', () => {
  const FILES = environment('keyStore: { type: filesystem }');
  const onTheirWay = () => {
    const state = stateLayout('home', folder());
    writeKeyStoreNote(state.keyStore, declaredPlace(EMBEDDED, {}), {
      to: declaredPlace(FILES, {}),
      sourceForgotten: true,
    });
    return state;
  };

  test.each([
    ['old', EMBEDDED],
    ['new', FILES],
  ])('nothing but the migration deploys, to the %s place neither', (_, declared) => {
    const error = thrownBy(() => {
      requireSameKeyStore(declared, {}, onTheirWay());
    });
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(
      'the master keys of environment home are on their way from the embedded Vault, kes/home (KV v2) to a volume of the Docker host',
    );
    requireSameKeyStore(declared, {}, onTheirWay(), { EBS_KEY_STORE_MIGRATION: '1' });
  });

  test('the migration deploys to no third place', () => {
    expect(() => {
      requireSameKeyStore(EXTERNAL, {}, onTheirWay(), { EBS_KEY_STORE_MIGRATION: '1' });
    }).toThrow('keyStore: environment home keeps its master keys in the embedded Vault');
  });
});
