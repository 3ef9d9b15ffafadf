import { UsageError } from '../../operations/lib/errors';
import { EXTERNAL, servicesOf, stackOf, type Stacks, STATE_ROOT, synthDeployment } from '../helpers/deployment';
import type { Block } from '../helpers/synth';
import { thrownBy } from '../helpers/thrown';

describe('an environment with an external Vault', () => {
  let stacks: Stacks;
  beforeAll(() => {
    stacks = synthDeployment({ environment: EXTERNAL });
  });

  test('is five stacks and runs no Vault', () => {
    expect(Object.keys(stacks).sort()).toEqual(['checks', 'foundation', 'keystore', 'kes', 'minio'].sort());
    expect(stackOf(stacks, 'keystore').dependencies).toEqual(['local-foundation']);
    expect(servicesOf(stacks).map(({ name }) => name)).toEqual(['ebs-local-kes', 'ebs-local-minio']);
    expect(Object.values(stackOf(stacks, 'foundation').resources('docker_image')).map(({ name }) => name)).toEqual([
      'encrypted-backup-storage/kes:bbbbbbbbbbbbbbbb',
      'encrypted-backup-storage/minio:cccccccccccccccc',
    ]);
  });

  test('leaves audit devices and the token to whoever runs that Vault', () => {
    const keystore = stackOf(stacks, 'keystore');
    expect(keystore.resources('vault_audit')).toEqual({});
    expect(keystore.provider('vault')).toEqual({
      address: 'https://vault.example.org:8200',
      skip_child_token: true,
      max_retries: 5,
    });
    expect(keystore.operation('write-kes-configuration').input.vault).toEqual({
      url: 'https://vault.example.org:8200',
      secretId: { delivery: 'minted', ttl: '0s', boundCidrs: [], tokenBoundCidrs: [] },
      outdatedSecretIds: `${STATE_ROOT}/outdated-secret-ids.json`,
    });
  });

  test('finds the token in a file that the environment names, and is told what SecretIDs must be like', () => {
    const found = stackOf(
      synthDeployment({
        environment: `
name: local
vault: { mode: external, address: "https://vault.example.org:8200", tokenFile: /run/token }
keyStore: { type: vault, existingMount: true, approle: { existingMount: true, secretId: { delivery: wrapped, ttl: 720h } } }
`,
      }),
      'keystore',
    );
    expect(found.provider('vault').token).toBe('${trimspace(file("/run/token"))}');
    expect(found.resource('vault_mount').count).toBe(0);
    expect(found.resource('vault_auth_backend').count).toBe(0);
    const { input, triggers } = found.operation('write-kes-configuration');
    expect(input.vault).toMatchObject({
      tokenFile: '/run/token',
      secretId: { delivery: 'wrapped', ttl: '720h' },
      secretIdNote: `${STATE_ROOT}/secret-id.json`,
    });
    expect(triggers.generation).toContain('secret-id.json');
  });

  test('makes no certificate for it', () => {
    const { leaves } = stackOf(stacks, 'foundation').operation('issue-certificates').input as { leaves: Block[] };
    expect(leaves.map(({ name }) => name)).not.toContain('vault-server');
  });

  test('checks again without it, too', () => {
    expect(stackOf(stacks, 'checks').operation('run-checks').triggers).not.toHaveProperty('vault');
  });

  const vaultCaOf = (of: Stacks) =>
    (stackOf(of, 'kes').resource('docker_container', 'Kes_Files_Loader').upload as Block[]).find(
      ({ file }) => file === '/files/vault-ca.crt',
    )?.source;

  test('is verified by the CAs that the image of KES trusts, unless told otherwise', () => {
    expect(vaultCaOf(stacks)).toBeUndefined();
    const { configuration } = stackOf(stacks, 'keystore').operation('write-kes-configuration').input;
    expect(configuration).not.toHaveProperty('keyStore.caFile');
  });

  test('finds it by the variables that every client of Vault knows', () => {
    const found = synthDeployment({
      environment: 'name: local\nvault: { mode: external }',
      vaultVariables: { address: 'https://from.variable:8200', namespace: 'team', caFile: '/etc/vault/ca.pem' },
    });
    expect(stackOf(found, 'keystore').provider('vault')).toEqual({
      address: 'https://from.variable:8200',
      namespace: 'team',
      ca_cert_file: '/etc/vault/ca.pem',
      skip_child_token: true,
      max_retries: 5,
    });
    expect(stackOf(found, 'keystore').operation('write-kes-configuration').input).toMatchObject({
      vault: { url: 'https://from.variable:8200', namespace: 'team', caFile: '/etc/vault/ca.pem' },
      configuration: {
        keyStore: { endpoint: 'https://from.variable:8200', namespace: 'team', caFile: '/files/vault-ca.crt' },
      },
    });
    expect(vaultCaOf(found)).toBe('/etc/vault/ca.pem');
  });

  test('believes the file before the variables', () => {
    const found = synthDeployment({
      environment:
        'name: local\nvault: { mode: external, address: "https://from.file", namespace: file, caFile: /file/ca.pem }',
      vaultVariables: { address: 'https://from.variable', namespace: 'variable', caFile: '/variable/ca.pem' },
    });
    expect(stackOf(found, 'keystore').provider('vault')).toEqual({
      address: 'https://from.file',
      namespace: 'file',
      ca_cert_file: '/file/ca.pem',
      skip_child_token: true,
      max_retries: 5,
    });
  });

  test.each([
    [
      'nobody says where it is',
      undefined,
      'vault.address: must be given for an external Vault, got nothing',
      'write it into the environment file, or set VAULT_ADDR',
    ],
    [
      'it would be spoken to in the clear',
      'http://vault:8200',
      'VAULT_ADDR: must be an https:// address, got: http://vault:8200',
      'put TLS before Vault',
    ],
  ])('is refused when %s', (_, address, message, hint) => {
    const error = thrownBy(() =>
      synthDeployment({
        environment: 'name: local\nvault: { mode: external }',
        vaultVariables: address === undefined ? {} : { address },
      }),
    );
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(message);
    expect(error).toHaveProperty('hint', hint);
  });
});
