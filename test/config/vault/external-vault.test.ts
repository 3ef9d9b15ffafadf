import { parseEnvironment } from '../../../config/load';
import {
  externalVaultAddress,
  requireHarmlessVaultVariables,
  vaultVariables,
} from '../../../config/vault/external-vault';
import { UsageError } from '../../../operations/lib/errors';
import { thrownBy } from '../../helpers/thrown';

describe('vaultVariables', () => {
  test('are those that every client of Vault knows, without the token', () => {
    expect(
      vaultVariables({
        VAULT_ADDR: 'https://vault:8200',
        VAULT_NAMESPACE: 'team',
        VAULT_CACERT: '/ca.pem',
        VAULT_TOKEN: 'hvs.secret',
      }),
    ).toEqual({ address: 'https://vault:8200', namespace: 'team', caFile: '/ca.pem' });
  });

  test('that are empty count as not set', () => {
    expect(vaultVariables({ VAULT_ADDR: '', VAULT_NAMESPACE: '' })).toEqual({});
  });
});

describe('externalVaultAddress', () => {
  const VARIABLES = { address: 'https://variable', namespace: 'variable', caFile: '/variable.pem' };

  test('is what the variables say', () => {
    expect(externalVaultAddress({ mode: 'external' }, VARIABLES)).toEqual({
      url: 'https://variable',
      namespace: 'variable',
      caFile: '/variable.pem',
    });
  });

  test('is what the file says, where both say something', () => {
    expect(externalVaultAddress({ mode: 'external', address: 'https://file', namespace: 'file' }, VARIABLES)).toEqual({
      url: 'https://file',
      namespace: 'file',
      caFile: '/variable.pem',
    });
  });

  test('has no namespace and no CA where nobody names one', () => {
    expect(externalVaultAddress({ mode: 'external', address: 'https://file' }, {})).toEqual({ url: 'https://file' });
  });

  test.each(['https://v:8200/', 'https://V:8200', 'https://v:8200//'])(
    'is the same Vault as https://v:8200: %s',
    (address) => {
      expect(externalVaultAddress({ mode: 'external', address }, {})).toEqual({ url: 'https://v:8200' });
      expect(externalVaultAddress({ mode: 'external' }, { address })).toEqual({ url: 'https://v:8200' });
    },
  );

  test.each([
    ['https://v:443/', 'https://v'],
    ['https://proxy.example/vault/', 'https://proxy.example/vault'],
    ['https://[2001:DB8::7]:8200', 'https://[2001:db8::7]:8200'],
  ])('%s is %s', (address, url) => {
    expect(externalVaultAddress({ mode: 'external', address }, {})).toEqual({ url });
  });

  test.each([
    [undefined, 'vault.address: must be given for an external Vault, got nothing'],
    ['http://vault:8200', 'VAULT_ADDR: must be an https:// address, got: http://vault:8200'],
    ['vault:8200', 'VAULT_ADDR: must be an https:// address, got: vault:8200'],
  ])('is refused when VAULT_ADDR is %s', (address, message) => {
    const error = thrownBy(() => externalVaultAddress({ mode: 'external' }, address === undefined ? {} : { address }));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(message);
  });
});

describe('variables that do harm', () => {
  test.each([
    [
      'embedded',
      { VAULT_NAMESPACE: 'team' },
      'VAULT_NAMESPACE: must not be set, because the Vault of this environment is embedded and has no namespaces, got: team',
    ],
    [
      'embedded',
      { VAULT_SKIP_VERIFY: 'true' },
      'VAULT_SKIP_VERIFY: must not be set, because the certificate of Vault is always verified, got: true',
    ],
    [
      'external',
      { VAULT_SKIP_VERIFY: '1' },
      'VAULT_SKIP_VERIFY: must not be set, because the certificate of Vault is always verified, got: 1',
    ],
  ] as const)('are refused: %s Vault, %j', (mode, env, message) => {
    const error = thrownBy(() => {
      requireHarmlessVaultVariables(parseEnvironment(`name: x\nvault: { mode: ${mode} }`, 'x.yaml').keyStore, env);
    });
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(message);
  });

  test.each([
    ['embedded', { VAULT_ADDR: 'https://elsewhere', VAULT_TOKEN: 'x', VAULT_NAMESPACE: '' }],
    ['external', { VAULT_NAMESPACE: 'team' }],
  ] as const)('are no others: %s Vault, %j', (mode, env) => {
    expect(() => {
      requireHarmlessVaultVariables(parseEnvironment(`name: x\nvault: { mode: ${mode} }`, 'x.yaml').keyStore, env);
    }).not.toThrow();
  });

  test('are none where no Vault takes part', () => {
    const { keyStore } = parseEnvironment('name: x\nkeyStore: { type: filesystem }', 'x.yaml');
    expect(() => {
      requireHarmlessVaultVariables(keyStore, { VAULT_NAMESPACE: 'team', VAULT_SKIP_VERIFY: '1' });
    }).not.toThrow();
  });
});
