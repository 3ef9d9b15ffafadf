import { DeclarationError } from '../../../constructs/declaration-error';
import { MasterKeys } from '../../../constructs/kes/master-keys';
import { newStack, synth } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

const as = (client: string) => ({
  url: 'https://127.0.0.1:7373',
  caFile: '/state/tls/ca.crt',
  certificateFile: `/state/tls/${client}.crt`,
  privateKeyFile: `/state/secrets/tls/${client}.key`,
});

const declare = (keys: readonly string[], stack = newStack()) =>
  new MasterKeys(stack, 'Keys', {
    runner: { program: 'run' },
    keys,
    creator: as('key-creator'),
    prover: as('key-prover'),
    canariesFile: '/state/keys.json',
    dataVolume: 'ebs-local-minio-data',
    triggers: { container: 'the id of KES' },
    dependsOn: [],
  });

test('keys are created by one client and proven by another', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  declare(['backup-default', 'archive'], stack);

  // THEN
  const { input, triggers } = synth(stack).operation('create-master-keys');
  expect(input).toEqual({
    creator: as('key-creator'),
    prover: as('key-prover'),
    keys: ['backup-default', 'archive'],
    clients: {},
    canariesFile: '/state/keys.json',
    dataVolume: 'ebs-local-minio-data',
  });
  expect(triggers).toEqual({ container: 'the id of KES' });
});

test.each([
  ['no key', [], '`keys` must name at least one key, got: none'],
  [
    'a name that KES refuses',
    ['ok', 'a/b'],
    '`keys[1]` must be 1 to 80 characters of 0-9, A-Z, a-z, "_" and "-", without "-" at either end, and not "_" alone, got: a/b',
  ],
  ['a key twice', ['a', 'b', 'a'], '`keys[2]` must be unique, got: a twice'],
])('%s is refused', (_, keys, problem) => {
  const error = thrownBy(() => declare(keys));
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe(`stack/Keys: ${problem}`);
});
