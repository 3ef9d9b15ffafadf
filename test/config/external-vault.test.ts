import { externalVaultAddress, vaultVariables } from '../../config/external-vault';
import { UsageError } from '../../operations/errors';
import { thrownBy } from '../helpers/thrown';

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
