import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { vaultNames } from '../../../config/deployment-names';
import { vaultAccess } from '../../../config/state/endpoints';
import { nodesOf } from '../../../config/node';
import { AppRole } from '../../../operations/vault/approle';
import { containerLogs } from '../../../operations/docker/docker';
import { HttpClient, type HttpRequest } from '../../../operations/lib/net/http';
import { VaultClient } from '../../../operations/vault/vault-client';
import type { TestEnvironment } from '../../helpers/e2e/test-environment';
import { inVault, ownVault } from '../../helpers/servers/vault';
import { Secret } from '../../../operations/lib/secret';

const kesFile = z.object({
  keystore: z.object({ vault: z.object({ approle: z.object({ id: z.string(), secret: z.string() }) }) }),
});
const login = z.object({ auth: z.object({ client_token: z.string(), token_policies: z.array(z.string()) }) });

/** Everybody may do what they need and nothing else. */
export function describePrivileges(subject: () => { environment: TestEnvironment }): void {
  describe('least privilege', () => {
    async function askKes(
      client: string,
      method: HttpRequest['method'],
      route: string,
      json?: unknown,
    ): Promise<number> {
      const { environment } = subject();
      const { state } = environment;
      const kes = new HttpClient({
        url: `https://127.0.0.1:${environment.loaded.environment.kes.port}`,
        caFile: state.caCertificate,
        certificateFile: path.join(state.tls, `${client}.crt`),
        privateKeyFile: path.join(state.secret.tls, `${client}.key`),
      });
      try {
        return (await kes.send({ method, path: route, ...(json === undefined ? {} : { json }) })).status;
      } finally {
        kes.close();
      }
    }

    test.each<[string, HttpRequest['method'], string]>([
      ['minio', 'PUT', '/v1/key/create/backup-default'],
      ['minio', 'PUT', '/v1/key/create/new-key'],
      ['minio', 'DELETE', '/v1/key/delete/backup-default'],
      ['minio', 'PUT', '/v1/key/import/new-key'],
      ['minio', 'PUT', '/v1/key/generate/other-key'],
      ['minio', 'PUT', '/v1/key/decrypt/other-key'],
      ['minio', 'GET', '/v1/key/list/'],
      ['minio', 'GET', '/v1/policy/list/'],
      ['minio', 'GET', '/v1/log/audit'],
      ['key-creator', 'PUT', '/v1/key/generate/backup-default'],
      ['key-creator', 'PUT', '/v1/key/decrypt/backup-default'],
      ['key-creator', 'DELETE', '/v1/key/delete/backup-default'],
      ['key-creator', 'PUT', '/v1/key/create/new-key'],
      ['key-prover', 'PUT', '/v1/key/create/backup-default'],
      ['key-prover', 'DELETE', '/v1/key/delete/backup-default'],
      ['health', 'PUT', '/v1/key/generate/backup-default'],
      ['health', 'GET', '/v1/metrics'],
    ])('KES refuses %s: %s %s', async (client, method, route) => {
      expect(await askKes(client, method, route, method === 'PUT' ? {} : undefined)).toBe(403);
    });

    test('KES lets minio make data keys under its own keys', async () => {
      expect(await askKes('minio', 'PUT', '/v1/key/generate/backup-default', {})).toBe(200);
      expect(await askKes('minio', 'PUT', '/v1/key/generate/archive-key', {})).toBe(200);
    });

    test('KES talks to nobody without a certificate', async () => {
      const { environment } = subject();
      const kes = new HttpClient({
        url: `https://127.0.0.1:${environment.loaded.environment.kes.port}`,
        caFile: environment.state.caCertificate,
      });
      await expect(kes.send({ method: 'GET', path: '/v1/status' })).rejects.toThrow(/alert|certificate|ECONNRESET/);
      kes.close();
    });

    function vault(token?: string): VaultClient {
      const { environment } = subject();
      const settings = ownVault(environment.loaded.environment);
      return new VaultClient(
        { url: `https://127.0.0.1:${settings.port}`, caFile: environment.state.caCertificate },
        token === undefined ? undefined : new Secret(token),
      );
    }

    test('the root token is gone', () => {
      expect(existsSync(subject().environment.state.secret.rootToken)).toBe(false);
    });

    test('the provisioner can neither read keys nor widen its own policy', async () => {
      const { environment } = subject();
      const { provisionerPolicy } = vaultNames(environment.loaded.environment);
      const { prefix } = inVault(environment.loaded.environment).keyStore;
      const client = vault(readFileSync(environment.state.secret.provisionerToken, 'utf8').trim());
      try {
        expect(await client.probe('GET', 'auth/token/lookup-self')).toBe(200);
        const policy = { policy: 'path "*" { capabilities = ["sudo", "read"] }' };
        expect({
          readKey: await client.probe('GET', `kes/data/${prefix}/backup-default`),
          aboutKey: await client.probe('GET', `kes/metadata/${prefix}/backup-default`),
          writeAboutKey: await client.probe('POST', `kes/metadata/${prefix}/backup-default`, { max_versions: 9 }),
          listKeys: await client.probe('LIST', `kes/metadata/${prefix}`),
          deleteKey: await client.probe('DELETE', `kes/metadata/${prefix}/backup-default`),
          removeMount: await client.probe('DELETE', 'sys/mounts/kes'),
          ownPolicy: await client.probe('PUT', `sys/policies/acl/${provisionerPolicy}`, policy),
          newPolicy: await client.probe('PUT', 'sys/policies/acl/mine', policy),
          otherMount: await client.probe('POST', 'sys/mounts/other', { type: 'kv' }),
          seal: await client.probe('PUT', 'sys/seal'),
          rootToken: await client.probe('POST', 'auth/token/create', { policies: ['root'] }),
          revokeByAccessor: await client.probe('POST', 'auth/token/revoke-accessor', { accessor: 'none' }),
        }).toEqual({
          readKey: 403,
          aboutKey: 200,
          writeAboutKey: 403,
          listKeys: 403,
          deleteKey: 403,
          removeMount: 403,
          ownPolicy: 403,
          newPolicy: 403,
          otherMount: 403,
          seal: 403,
          rootToken: 403,
          revokeByAccessor: 403,
        });
      } finally {
        client.close();
      }
    });

    test('the provisioner can destroy a SecretID of its own role by its accessor, and of no other role', async () => {
      const { environment } = subject();
      const { kesRole } = vaultNames(environment.loaded.environment);
      const access = vaultAccess(inVault(environment.loaded.environment), environment.state, {});
      const role = new AppRole(access, { mount: 'approle', role: kesRole });
      const other = new AppRole(access, { mount: 'approle', role: 'other' });
      try {
        const { secretId, accessor } = await role.mint();
        expect(await role.accessorOf(secretId)).toBe(accessor);
        await expect(other.destroy(accessor)).rejects.toThrow(/HTTP 403/);
        await role.destroy(accessor);
        expect(await role.accessorOf(secretId)).toBeUndefined();
      } finally {
        role.close();
        other.close();
      }
    });

    test('KES can read and create keys under its prefix, once, and nothing else in Vault', async () => {
      const { environment } = subject();
      const { prefix } = inVault(environment.loaded.environment).keyStore;
      const { id, secret } = kesFile.parse(parse(readFileSync(environment.state.secret.kesConfiguration, 'utf8')))
        .keystore.vault.approle;
      const anonymous = vault();
      const { auth } = login.parse(await anonymous.write('auth/approle/login', { role_id: id, secret_id: secret }));
      const client = vault(auth.client_token);
      const write = { data: { value: 'of a test' } };
      try {
        expect({
          read: await client.probe('GET', `kes/data/${prefix}/backup-default`),
          overwrite: await client.probe('POST', `kes/data/${prefix}/backup-default`, write),
          removeVersion: await client.probe('DELETE', `kes/data/${prefix}/backup-default`),
          destroy: await client.probe('PUT', `kes/destroy/${prefix}/backup-default`, { versions: [1] }),
          removeKey: await client.probe('DELETE', `kes/metadata/${prefix}/backup-default`),
          list: await client.probe('LIST', `kes/metadata/${prefix}`),
          readOutside: await client.probe('GET', 'kes/data/elsewhere/key'),
          createOutside: await client.probe('POST', 'kes/data/elsewhere/key', write),
          policies: await client.probe('LIST', 'sys/policies/acl'),
          ownRole: await client.probe('GET', `auth/approle/role/ebs-${environment.name}-kes`),
          mounts: await client.probe('GET', 'sys/mounts'),
        }).toEqual({
          read: 200,
          overwrite: 403,
          removeVersion: 403,
          destroy: 403,
          removeKey: 403,
          list: 403,
          readOutside: 403,
          createOutside: 403,
          policies: 403,
          ownRole: 403,
          mounts: 403,
        });
        expect(auth.token_policies.sort()).toEqual(['default', `ebs-${environment.name}-kes`]);
      } finally {
        await client.write('auth/token/revoke-self');
        client.close();
        anonymous.close();
      }
    });

    describe('what a program in the place of MinIO connects to', () => {
      /** `connected` or why not, as a program sees it that shares the network of a container. */
      async function connectionTo(host: string, port: number, from = 'minio'): Promise<string> {
        const { environment } = subject();
        const { Image } = await environment.docker.getContainer(environment.containerName('vault')).inspect();
        const program = await environment.docker.createContainer({
          Image,
          Entrypoint: ['sh', '-c', 'nc -w 3 "$0" "$1" </dev/null 2>&1 && echo connected', host, String(port)],
          HostConfig: { NetworkMode: `container:${environment.containerName(from)}` },
        });
        try {
          await program.start();
          await program.wait();
          return (await containerLogs(program, 0)).trim();
        } finally {
          await program.remove({ force: true });
        }
      }

      async function addressIn(network: string, program: string): Promise<string> {
        const { environment } = subject();
        const container = environment.docker.getContainer(environment.containerName(program));
        return (await container.inspect()).NetworkSettings.Networks[network]?.IPAddress ?? 'none';
      }

      test('KES by name and address, Vault by neither; KES itself reaches Vault', async () => {
        const [{ networks }] = nodesOf(subject().environment.loaded.environment);
        const vault = await addressIn(networks.vault, 'vault');
        expect({
          kes: await connectionTo('kes', 7373),
          kesByAddress: await connectionTo(await addressIn(networks.storage, 'kes'), 7373),
          vault: await connectionTo('vault', 8200),
          vaultByAddress: await connectionTo(vault, 8200),
          kesToVault: await connectionTo(vault, 8200, 'kes'),
        }).toEqual({
          kes: 'connected',
          kesByAddress: 'connected',
          vault: "nc: bad address 'vault'",
          vaultByAddress: 'nc: timed out',
          kesToVault: 'connected',
        });
      });
    });
  });
}
