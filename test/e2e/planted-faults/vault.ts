import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { vaultNames } from '../../../config/deployment-names';
import type { EmbeddedVault } from '../../../config/environment';
import { embeddedVaultUrl, kesUrl } from '../../../config/docker/reachable';
import { AUDIT_DEVICES, kesPolicy, provisionerPolicy } from '../../../config/keys/key-store';
import { writeFileAtomically } from '../../../operations/lib/files';
import { KesClient } from '../../../operations/kes/kes-client';
import type { VaultClient } from '../../../operations/vault/vault-client';
import { waitUntilActive } from '../../../operations/vault/unseal-vault';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { startVaultProxy, type VaultProxyOptions } from '../../helpers/e2e/servers/vault-proxy';
import type { Workbench } from '../../helpers/e2e/workbench';
import type { PlantedFault } from './planted-fault';
import { inVault, ownVault } from '../../helpers/servers/vault';

const token = z.object({ auth: z.object({ client_token: z.string() }) });
const secretId = z.object({ data: z.object({ secret_id: z.string() }) });

interface KesFile {
  keystore: { vault: { approle: { secret: string } } };
}

const NEEDS_PROVISIONER = [
  'vault-key-mount',
  'vault-master-keys',
  'vault-policies',
  'vault-approle-role',
  'vault-audit-devices',
  'kes-secret-id-valid',
  'vault-root-tokens',
];

export const vaultFaults: readonly PlantedFault[] = [
  {
    name: 'Vault is sealed',
    red: {
      // what else would unseal it at once is stopped
      'services-running': {
        message:
          /^the unsealer of Vault does not run: its container ebs-.*-vault-unsealer is exited \(exit code \d+\), so that Vault stays sealed/,
        fix: /^\.\/scripts\/up \S+ starts it again; `docker logs ebs-.*-vault-unsealer` says why it ended$/,
      },
      // everything else follows from it: test/e2e/checks/outages.ts
      'vault-unsealed': {
        message: /^Vault is sealed; 0 of the 1 unseal shares that it needs were given$/,
        fix: /^\.\/scripts\/unseal \S+ unseals it; `docker logs ebs-.*-vault-unsealer` says why/,
      },
    },
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      bench.mendBy(async () => {
        // KES calls a Vault reachable that is unsealed and not active yet
        await waitUntilActive(root);
        await waitFor({ what: 'KES to reach Vault again', timeoutMs: 180_000 }, async () =>
          withKes(bench, async (kes) => ((await kes.ready()) ? true : new NotYet('it does not'))),
        );
      });
      // what else would unseal it at once; started again it does so
      await bench.stop('vault-unsealer');
      // what KES has in memory it serves for some minutes, so that S3 does not notice yet
      await bench.reloadKes();
      for (const key of ['backup-default', 'archive-key']) await useKey(bench, key);
      await root.write('sys/seal');
    },
  },
  {
    name: 'Vault has other unseal shares than the declared ones',
    red: {
      'vault-unsealed': {
        message: /^Vault has 1 unseal share\(s\) of which 1 unseal it, declared 5 and 3$/,
        fix: /set vault\.shares and vault\.threshold to what it has/,
      },
    },
    plant: async (bench) => {
      declareVault(bench, { shares: 5, threshold: 3 });
      return Promise.resolve();
    },
  },
  {
    name: 'Vault deletes the keys by itself after a while',
    red: {
      'vault-key-mount': {
        message: /^Vault deletes what is in kes\/ 1h0m0s after it was written, master keys too$/,
        fix: /vault write kes\/config delete_version_after=0s/,
      },
    },
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      bench.mendBy(async () => root.write('kes/config', { delete_version_after: '0s' }));
      await root.write('kes/config', { delete_version_after: '1h' });
    },
  },
  {
    name: 'a master key is only in the memory of KES',
    red: {
      'vault-master-keys': {
        message: /^archive-key was deleted in Vault at .*: KES serves from memory for minutes at most/,
        fix: /do not restart KES; .*undelete/,
      },
    },
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      const key = `${inVault(bench.deployed.environment).keyStore.prefix}/archive-key`;
      bench.mendBy(async () => root.write(`kes/undelete/${key}`, { versions: [1] }));
      await useKey(bench, 'archive-key');
      await root.probe('DELETE', `kes/data/${key}`);
    },
  },
  {
    name: 'the policy of KES lets it overwrite keys and read those of others',
    red: {
      'vault-policies': {
        message: /^the policy ebs-.*-kes in Vault is not the declared one: line 1 is `path "kes\/data\/\*" {`$/,
        fix: /^\.\/scripts\/up .* writes it again; find out in Vault's audit log/,
      },
      'vault-kes-token-confined': {
        message: /^a token of KES: it may create, read, update kes\/data\/.*, declared create, read/,
        fix: /: see vault-policies and vault-approle-role$/,
      },
    },
    plant: async (bench) => {
      const { environment } = bench.deployed;
      const wider = 'path "kes/data/*" {\n  capabilities = ["create", "read", "update"]\n}\n';
      await changePolicy(bench, vaultNames(environment).kesPolicy, kesPolicy(inVault(environment).keyStore), wider);
    },
  },
  {
    name: 'the provisioner may read the master keys',
    red: {
      'vault-policies': {
        message:
          /^the policy ebs-.*-provisioner in Vault is not the declared one: line \d+ is `path "kes\/data\/\*" {`$/,
        fix: /^`docker rm -f ebs-.*-vault`, then \.\/scripts\/up/,
      },
    },
    plant: async (bench) => {
      const { environment } = bench.deployed;
      const declared = provisionerPolicy(inVault(environment));
      const wider = `${declared}\npath "kes/data/*" {\n  capabilities = ["read"]\n}\n`;
      await changePolicy(bench, vaultNames(environment).provisionerPolicy, declared, wider);
    },
  },
  {
    name: 'the role of KES lost its period, so that its token will end',
    red: {
      'vault-approle-role': {
        message: /^token_period is 0, declared 1800$/,
        fix: /^`vault delete auth\/approle\/role\/ebs-.*-kes` .*, then \.\/scripts\/up/,
      },
    },
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      const role = rolePath(bench);
      // by its old name, which version 1.9 of the Terraform provider cannot do without
      bench.mendBy(async () => root.write(role, { period: 1800 }));
      await root.write(role, { token_period: 0 });
    },
  },
  {
    name: 'an audit device is off',
    red: {
      'vault-audit-devices': {
        message: /^audit device stdout is missing$/,
        fix: /\.\/scripts\/up .* switches on what is declared/,
      },
    },
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      const device = AUDIT_DEVICES.find(({ name }) => name === 'stdout');
      bench.mendBy(async () =>
        root.write('sys/audit/stdout', {
          type: 'file',
          description: 'encrypted-backup-storage',
          options: { file_path: device?.filePath ?? '', mode: '0600' },
        }),
      );
      await root.probe('DELETE', 'sys/audit/stdout');
    },
  },
  {
    name: 'the audit log was removed under Vault',
    red: {
      'vault-audit-written': {
        message: /^\/vault\/audit\/audit\.log does not grow when Vault is asked something: /,
        fix: /^`docker kill -s HUP ebs-.*-vault` has Vault open it again/,
      },
    },
    plant: async (bench) => {
      const vault = bench.container('vault');
      bench.mendBy(async () => vault.kill({ signal: 'SIGHUP' }));
      await bench.execute(vault, ['rm', '/vault/audit/audit.log']);
    },
  },
  {
    name: 'something before Vault adds a token for everybody',
    red: {
      'vault-anonymous-refused': {
        message: /^Vault answers a request without token: kes\/data\/.* with HTTP 200, not with a refusal$/,
        fix: /a Vault Agent or proxy with auto-auth/,
      },
    },
    alsoRed: { 'containers-hardened': 'the checks are told of the port of the proxy, where no container is' },
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      const auto = await newToken(root, { policies: ['root'], ttl: '10m' });
      bench.mendBy(async () => root.write('auth/token/revoke', { token: auto }));
      await proxy(bench, { token: auto });
    },
  },
  {
    name: 'a proxy before Vault takes TLS 1.1',
    red: { 'kms-tls-only': { message: /^Vault accepts TLSv1\.1$/, fix: /look for what answers in its place/ } },
    alsoRed: { 'containers-hardened': 'the checks are told of the port of the proxy, where no container is' },
    plant: async (bench) => proxy(bench, { tls: { minVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } }),
  },
  {
    name: 'the provisioner token was revoked',
    red: {
      'provisioner-token-valid': {
        message: /^Vault does not know the provisioner token: it has expired or was revoked$/,
        fix: /^`docker rm -f ebs-.*-vault`, then \.\/scripts\/up/,
      },
    },
    alsoRed: Object.fromEntries(NEEDS_PROVISIONER.map((id) => [id, 'asks Vault with that token'])),
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      const other = await newToken(root, { policies: ['default'] });
      replaceProvisionerToken(bench, other);
      await root.write('auth/token/revoke', { token: other });
    },
  },
  {
    name: 'the provisioner token ends soon',
    red: {
      'provisioner-token-valid': {
        message: /^the provisioner token cannot be renewed$/,
        fix: /^`docker rm -f ebs-.*-vault`, then \.\/scripts\/up/,
      },
    },
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      const { provisionerPolicy: policy } = vaultNames(bench.deployed.environment);
      const other = await newToken(root, { policies: [policy], ttl: '1h' });
      bench.mendBy(async () => root.write('auth/token/revoke', { token: other }));
      replaceProvisionerToken(bench, other);
    },
  },
  {
    name: 'the SecretID of KES ends within the hour',
    red: {
      'kes-secret-id-valid': {
        message: /^the SecretID of KES ends in 0 days/,
        fix: /^\.\/scripts\/rotate secret-id /,
      },
    },
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      await useSecretId(bench, await newSecretId(root, bench, { ttl: '1h' }));
    },
  },
  {
    name: 'the SecretID of KES was taken back',
    red: {
      'kes-secret-id-valid': {
        message: /^Vault does not know the SecretID of KES any more: KES works until its token is lost/,
        fix: /^\.\/scripts\/rotate secret-id /,
      },
    },
    alsoRed: { 'vault-kes-token-confined': 'login as KES failed' },
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      const other = await newSecretId(root, bench);
      await useSecretId(bench, other);
      await root.write(`${rolePath(bench)}/secret-id/destroy`, { secret_id: other });
    },
  },
];

/** Has the environment file say something else about Vault. */
function declareVault(bench: Workbench, settings: Partial<EmbeddedVault>): void {
  bench.declare((declared) => ({
    ...declared,
    keyStore: { ...inVault(declared).keyStore, vault: { ...ownVault(declared), ...settings } },
  }));
}

/** Puts a proxy between the checks and Vault. */
async function proxy(bench: Workbench, options: VaultProxyOptions): Promise<void> {
  const { state } = bench.deployed;
  const url = embeddedVaultUrl(ownVault(bench.deployed.environment));
  const started = await startVaultProxy({ url, caFile: state.caCertificate }, state, options);
  bench.mendBy(async () => started.stop());
  declareVault(bench, { port: started.port });
}

function rolePath({ deployed }: Workbench): string {
  return `auth/approle/role/${vaultNames(deployed.environment).kesRole}`;
}

async function changePolicy(bench: Workbench, name: string, declared: string, policy: string): Promise<void> {
  const root = await bench.vaultRoot();
  bench.mendBy(async () => root.write(`sys/policies/acl/${name}`, { policy: declared }));
  await root.write(`sys/policies/acl/${name}`, { policy });
}

async function newToken(root: VaultClient, settings: object): Promise<string> {
  return token.parse(await root.write('auth/token/create', settings)).auth.client_token;
}

function replaceProvisionerToken(bench: Workbench, other: string): void {
  const file = bench.deployed.state.secret.provisionerToken;
  const own = readFileSync(file, 'utf8');
  bench.mendBy(async () => {
    writeFileAtomically(file, own);
    return Promise.resolve();
  });
  writeFileAtomically(file, other);
}

async function newSecretId(root: VaultClient, bench: Workbench, settings: object = {}): Promise<string> {
  return secretId.parse(await root.write(`${rolePath(bench)}/secret-id`, settings)).data.secret_id;
}

/** Has KES log in by another SecretID, as if a deploy had written it. */
async function useSecretId(bench: Workbench, other: string): Promise<void> {
  const file = bench.deployed.state.secret.kesConfiguration;
  const own = readFileSync(file, 'utf8');
  const changed = parse(own) as KesFile;
  changed.keystore.vault.approle.secret = other;
  bench.mendBy(async () => {
    writeFileAtomically(file, own);
    return Promise.resolve();
  });
  writeFileAtomically(file, stringify(changed));
  await bench.configureKes((configuration) => configuration);
}

/** Has KES keep a master key in memory. */
async function useKey(bench: Workbench, key: string): Promise<void> {
  await withKes(bench, async (kes) => kes.generate(key));
}

async function withKes<T>({ deployed }: Workbench, use: (kes: KesClient) => Promise<T>): Promise<T> {
  const { environment, state } = deployed;
  const kes = new KesClient({
    url: kesUrl(environment),
    caFile: state.caCertificate,
    certificateFile: path.join(state.tls, 'key-prover.crt'),
    privateKeyFile: path.join(state.secret.tls, 'key-prover.key'),
  });
  try {
    return await use(kes);
  } finally {
    kes.close();
  }
}
