import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { VaultClient } from '../../../operations/vault/vault-client';
import { waitFor } from '../../../operations/lib/wait';
import { measured } from '../../helpers/e2e/clients/measured';
import { TestEnvironment } from '../../helpers/e2e/test-environment';
import { testPorts } from '../../helpers/e2e/test-ports';
import { inVault, ownVault } from '../../helpers/servers/vault';
import { Secret } from '../../../operations/lib/secret';

/** A key as KES stores it in KV v2. */
const storedKey = z.object({ data: z.object({ data: z.record(z.string(), z.unknown()) }) });

const PROGRAMS = ['vault', 'vault-unsealer', 'kes', 'minio'] as const;

/** After a restart of everything it heals by itself. */
export function describeRestart(subject: () => { environment: TestEnvironment }): void {
  describe('restarting every container at once', () => {
    test('an encrypted PUT succeeds again within 30 s, and nobody did anything', async () => {
      const { environment } = subject();
      const started = performance.now();
      await Promise.all(
        PROGRAMS.map((program) => environment.docker.getContainer(environment.containerName(program)).restart()),
      );
      const restarted = performance.now();
      const s3 = environment.s3(1);
      try {
        await waitFor({ what: 'an encrypted PUT to succeed', timeoutMs: 180_000, intervalMs: 100 }, () =>
          s3.send(
            new PutObjectCommand({
              Bucket: 'backup',
              Key: 'after the restart',
              Body: 'healed',
              ServerSideEncryption: 'aws:kms',
              SSEKMSKeyId: 'archive-key',
            }),
          ),
        );
        const seconds = (performance.now() - restarted) / 1000;
        measured('first encrypted PUT after all containers were restarted', seconds);
        measured('… counted from the call that restarts them', (performance.now() - started) / 1000);
        expect(seconds).toBeLessThan(30);
        const answer = await s3.send(new GetObjectCommand({ Bucket: 'backup', Key: 'after the restart' }));
        expect(await answer.Body?.transformToString()).toBe('healed');
      } finally {
        s3.destroy();
      }
    });
  });
}

/** Each fault is named, and nothing is half-done. */
export function describeFaults(subject: () => { environment: TestEnvironment }): void {
  describe('faults', () => {
    let untouched: Record<string, string>;

    async function lives(): Promise<Record<string, string>> {
      const { environment } = subject();
      const entries = await Promise.all(
        PROGRAMS.map(async (program) => [program, await environment.lifeOf(program)] as const),
      );
      return Object.fromEntries(entries);
    }

    beforeEach(async () => {
      untouched = await lives();
    });

    test('a port that a foreign process holds: says how to find it, deploys nothing', async () => {
      const other = await TestEnvironment.create();
      const { environment } = other.loaded;
      const listener = await listen(environment.minio.port);
      try {
        const result = await other.script('up');
        expect(result.code).toBe(1);
        expect(result.stderr).toContain(`127.0.0.1:${environment.minio.port} (S3 API, minio.port)`);
        expect(result.stderr).toContain('held by a process of this machine: `sudo ss -ltnp`');
        expect((await other.dockerResources()).containers).toEqual([]);
      } finally {
        listener.close();
        await other.remove();
      }
    });

    test('a port that another environment holds: says which one', async () => {
      const { environment } = subject();
      const other = await TestEnvironment.create({ kes: { port: environment.loaded.environment.kes.port } });
      try {
        const result = await other.script('up');
        expect(result.code).toBe(1);
        expect(result.stderr).toContain(
          `published by container ${environment.containerName('kes')} of environment ${environment.name}`,
        );
      } finally {
        await other.remove();
      }
    });

    test('an external Vault that does not answer: one clear error, nothing deployed', async () => {
      const [closed] = await testPorts(1);
      const other = await TestEnvironment.create();
      const { environment } = other.loaded;
      writeFileSync(
        other.file,
        stringify({
          name: other.name,
          vault: { mode: 'external', address: `https://127.0.0.1:${closed}` },
          kes: { port: environment.kes.port },
          minio: { port: environment.minio.port },
          state: { backend: 'local', directory: other.state.root },
        }),
      );
      try {
        const result = await other.script('up', [], { env: { VAULT_TOKEN: 'a token of nobody' } });
        expect(result.code).toBe(1);
        expect(result.stderr).toContain(`error: Vault at https://127.0.0.1:${closed} does not answer`);
        expect((await other.dockerResources()).containers).toEqual([]);
      } finally {
        await other.remove();
      }
    });

    test('a secrets folder that is gone: refused before anything is planned', async () => {
      const { environment } = subject();
      const { state } = environment;
      renameSync(state.secrets, `${state.secrets}.away`);
      try {
        const up = await environment.script('up');
        expect(up.code).toBe(64);
        expect(up.stderr).toContain(`environment ${environment.name} was deployed, but its secrets are gone`);
        const deploy = await environment.cdktf(['deploy', '*', '--auto-approve']);
        expect(deploy.code).not.toBe(0);
        expect(deploy.stdout + deploy.stderr).toContain('its secrets are gone');
      } finally {
        renameSync(`${state.secrets}.away`, state.secrets);
      }
      expect(await lives()).toEqual(untouched);
    });

    test('a state marker that is gone while the secrets are there: refused, too', async () => {
      const { environment } = subject();
      const { state } = environment;
      renameSync(state.deployment, `${state.deployment}.away`);
      try {
        const up = await environment.script('up');
        expect(up.code).toBe(64);
        expect(up.stderr).toContain('but the state beside them is gone');
      } finally {
        renameSync(`${state.deployment}.away`, state.deployment);
      }
      expect(await lives()).toEqual(untouched);
    });

    const losses: [string, string, string, (root: VaultClient, key: string, data: unknown) => Promise<unknown>][] = [
      [
        'deleted, so that Vault keeps its version',
        'data',
        'cannot be read from',
        (root, key) => root.write(`kes/undelete/${key}`, { versions: [1] }),
      ],
      [
        'gone with all its versions',
        'metadata',
        'is missing in',
        // as from a backup; KES reads version 1 and no other
        (root, key, data) => root.write(`kes/data/${key}`, { data }),
      ],
    ];
    test.each(losses)(
      'a master key %s, while data exists: refused before MinIO is touched, and no new key',
      async (_, part, message, putBack) => {
        const { environment } = subject();
        const key = `${inVault(environment.loaded.environment).keyStore.prefix}/archive-key`;
        await asVaultRoot(environment, async (root) => {
          const { data } = storedKey.parse(await root.read(`kes/data/${key}`)).data;
          expect(await root.probe('DELETE', `kes/${part}/${key}`)).toBe(204);
          try {
            // its cache would hide the loss for a while
            await environment.docker.getContainer(environment.containerName('kes')).restart();
            await environment.untilHealthy('kes');
            const up = await environment.script('up');
            expect(up.stderr).toMatch(new RegExp(`master key archive-key, made on \\S+, ${message} the key store`));
            expect(up.code).toBe(1);
            expect(await environment.lifeOf('minio')).toBe(untouched.minio);
            // not made anew under the old name
            expect(await root.probe('GET', `kes/data/${key}`)).toBe(404);
          } finally {
            await putBack(root, key, data);
          }
        });
        // put back, it opens what it sealed
        const s3 = environment.s3();
        const answer = await s3.send(new GetObjectCommand({ Bucket: 'backup', Key: 'after the restart' }));
        expect(await answer.Body?.transformToString()).toBe('healed');
        s3.destroy();
      },
    );

    test('an environment file with several mistakes: all of them at once, exit code 64', async () => {
      const { environment } = subject();
      const file = path.join(environment.folder, 'wrong.yaml');
      writeFileSync(
        file,
        stringify({ name: 'Wrong Name', minio: { port: 70_000 }, tls: { mode: 'off' }, colour: 'red' }),
      );
      const deploy = await environment.cdktf(['synth'], { env: { EBS_ENVIRONMENT: file } });
      const text = deploy.stdout + deploy.stderr;
      expect(deploy.code).not.toBe(0);
      for (const part of [
        'wrong.yaml has 4 problems',
        'name: must be',
        'minio.port: must be',
        'tls.mode: must be',
        'colour: is not a setting',
      ]) {
        expect(text).toContain(part);
      }
    });
  });
}

/** Makes a root token with the unseal share, as the owner of it can, and revokes it afterwards. */
async function asVaultRoot(environment: TestEnvironment, act: (root: VaultClient) => Promise<void>): Promise<void> {
  const settings = ownVault(environment.loaded.environment);
  const { state } = environment;
  const vault = new VaultClient({ url: `https://127.0.0.1:${settings.port}`, caFile: state.caCertificate });
  const root = vault.withToken(
    await vault.generateRootToken([new Secret(readFileSync(state.secret.unsealShare(1), 'utf8').trim())]),
  );
  try {
    await act(root);
  } finally {
    await root.write('auth/token/revoke-self');
    root.close();
    vault.close();
  }
}

async function listen(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}
