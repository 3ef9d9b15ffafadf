/** Every secret of a living deployment is replaced, one after the other, while clients write and read. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { connect } from 'node:tls';
import { z } from 'zod';
import { namesOf } from '../../config/deployment-names';
import { vaultAccess } from '../../config/key-store';
import { certificateIssue } from '../../config/leaf-certificates';
import { AppRole, readKesLogin } from '../../operations/approle';
import { readIfExists } from '../../operations/files';
import { HttpClient } from '../../operations/http';
import { kesIdentity } from '../../operations/kes-identity';
import { VaultClient } from '../../operations/vault-client';
import { NotYet, waitFor } from '../../operations/wait';
import { mustSucceed } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/measured';
import { SteadyLoad } from '../helpers/e2e/steady-load';
import { TestEnvironment } from '../helpers/e2e/test-environment';

let environment: TestEnvironment;

// a rotation deploys up to three times
jest.setTimeout(900_000);

beforeAll(async () => {
  environment = await TestEnvironment.create({
    minio: { defaultKey: 'backup-default' },
    buckets: [
      { name: 'backup', encryption: { type: 'sse-s3' } },
      { name: 'archive', encryption: { type: 'sse-kms', key: 'archive-key' } },
    ],
  });
  mustSucceed(await environment.script('up'));
});

afterAll(async () => {
  await environment.remove();
});

/** Rotates while clients write and read without retries. */
async function rotateUnderLoad(...what: string[]): Promise<void> {
  const s3 = environment.s3(1);
  const load = new SteadyLoad({ s3, buckets: ['backup', 'archive'] });
  const rotated = await environment.rotate(what);
  // what is asked after the end of a rotation has to work, too
  await load.answered(20);
  const result = await load.stop();
  s3.destroy();
  mustSucceed(rotated);
  measured(
    `./scripts/rotate ${what.join(' ')}: ${result.requests} requests, slowest ${result.slowestMs} ms`,
    rotated.seconds,
  );
  expect(result.failures).toEqual([]);
  expect(result.requests).toBeGreaterThan(40);
}

/** Starts a rotation and kills it with all its processes as soon as a phase is done, and so in the middle of the next. */
async function killAfter(phase: string, what: string): Promise<void> {
  const rotating = environment.rotate([what]);
  await waitFor({ what: `phase ${phase} of ${what}`, timeoutMs: 120_000, intervalMs: 20 }, () => {
    const note = readIfExists(environment.state.rotation);
    return Promise.resolve(note?.includes(`"${phase}"`) === true ? true : new NotYet(note ?? 'not begun'));
  });
  await environment.killWorkers();
  expect((await rotating).code).not.toBe(0);
}

const logLine = z.object({
  at: z.iso.datetime(),
  id: z.string(),
  what: z.string(),
  phase: z.string().optional(),
  outcome: z.string(),
  command: z.string(),
});

/** What the log says of the newest rotation. */
function logged(): string[] {
  const lines = readFileSync(environment.state.rotationsLog, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => logLine.parse(JSON.parse(line)));
  return lines
    .filter(({ id }) => id === lines.at(-1)?.id)
    .map(({ what, phase, outcome }) => [what, phase, outcome].filter((part) => part !== undefined).join(' '));
}

function role(): AppRole {
  const { loaded, state } = environment;
  return new AppRole(vaultAccess(loaded.environment, state, {}), {
    mount: 'approle',
    role: namesOf(loaded.environment).kesRole,
  });
}

describe('secret-id', () => {
  test('interrupted by kill -9, it lets no other begin, and goes on with the same SecretID', async () => {
    const old = readKesLogin(environment.state.secret.kesConfiguration)?.secretId ?? '';
    await killAfter('log-in', 'secret-id');
    const minted = readKesLogin(environment.state.secret.kesConfiguration)?.secretId;
    expect(minted).not.toBe(old);

    const other = await environment.rotate(['certificates']);
    expect(other.code).toBe(64);
    expect(other.stderr).toMatch(/error: a rotation of secret-id, begun on \S+, has not ended/);

    mustSucceed(await environment.rotate(['secret-id']));
    expect(readKesLogin(environment.state.secret.kesConfiguration)?.secretId).toBe(minted);
    const approle = role();
    try {
      expect(await approle.accessorOf(old)).toBeUndefined();
    } finally {
      approle.close();
    }
    expect(logged().filter((line) => !line.endsWith('done'))).toEqual([
      'secret-id begun',
      'secret-id resumed',
      'secret-id ended',
    ]);
  });

  test('KES logs in by another SecretID, Vault knows the old one no more, and no request fails', async () => {
    const old = readKesLogin(environment.state.secret.kesConfiguration);
    if (old === undefined) throw new Error('KES has no login');
    const life = await environment.lifeOf('kes');

    await rotateUnderLoad('secret-id');

    const present = readKesLogin(environment.state.secret.kesConfiguration);
    expect(present?.roleId).toBe(old.roleId);
    expect(present?.secretId).not.toBe(old.secretId);
    const approle = role();
    try {
      expect(await approle.accessorOf(old.secretId)).toBeUndefined();
      expect(await approle.accessorOf(present?.secretId ?? '')).toBeDefined();
      await expect(approle.proveLogin(old.roleId, old.secretId)).rejects.toThrow(/invalid role or secret ID/);
    } finally {
      approle.close();
    }
    expect(await environment.lifeOf('kes')).toBe(life);
    expect(logged()).toEqual([
      'secret-id begun',
      'secret-id mint done',
      'secret-id log-in done',
      'secret-id deliver done',
      'secret-id prove done',
      'secret-id destroy done',
      'secret-id ended',
    ]);
  });
});

const SERVERS = ['vault', 'kes', 'minio'] as const;

describe('certificates', () => {
  test('every certificate is another, servers have other keys, nothing is restarted, and no request fails', async () => {
    const { state } = environment;
    const names = certificateIssue(environment.loaded.environment, state).leaves.map(({ name }) => name);
    const certificates = () => names.map((name) => readFileSync(path.join(state.tls, `${name}.crt`), 'utf8'));
    const old = certificates();
    const lives = await Promise.all(SERVERS.map((name) => environment.lifeOf(name)));

    await rotateUnderLoad('certificates');

    names.forEach((name, index) => {
      const [before = '', now = ''] = [old[index], certificates()[index]];
      expect(now).not.toBe(before);
      expect([name, kesIdentity(now) === kesIdentity(before)]).toEqual([name, !name.endsWith('-server')]);
    });
    for (const name of SERVERS) expect(await servedBy(name)).toBe(fingerprint(`${name}-server`));
    expect(await Promise.all(SERVERS.map((name) => environment.lifeOf(name)))).toEqual(lives);
  });
});

describe('client-identity', () => {
  test('MinIO shows another key, KES refuses the old one, and no request fails', async () => {
    const { state, loaded } = environment;
    const file = path.join(state.tls, 'minio.crt');
    const old = { certificate: readFileSync(file), key: readFileSync(path.join(state.secret.tls, 'minio.key')) };

    await rotateUnderLoad('client-identity');

    expect(kesIdentity(readFileSync(file, 'utf8'))).not.toBe(kesIdentity(old.certificate.toString()));
    const folder = environment.folderFor('old-identity');
    writeFileSync(path.join(folder, 'old.crt'), old.certificate);
    writeFileSync(path.join(folder, 'old.key'), old.key, { mode: 0o600 });
    const kes = new HttpClient({
      url: `https://127.0.0.1:${loaded.environment.kes.port}`,
      caFile: state.caCertificate,
      certificateFile: path.join(folder, 'old.crt'),
      privateKeyFile: path.join(folder, 'old.key'),
    });
    expect((await kes.send({ method: 'PUT', path: '/v1/key/generate/backup-default', json: {} })).status).toBe(403);
    kes.close();
    const leftovers = [...readdirSync(state.tls), ...readdirSync(state.secret.tls)];
    expect(leftovers.filter((name) => /next|previous/.test(name))).toEqual([]);
    const names = (await environment.docker.listContainers({ all: true })).flatMap(({ Names }) => Names);
    expect(names).not.toContain(`/${environment.containerName('kes')}-twin`);
  });
});

describe('unseal-keys', () => {
  const share = (): string => readFileSync(environment.state.secret.unsealShare(1), 'utf8');

  test('no request fails; a Vault that was restarted opens with the new share and not with the old', async () => {
    const old = share();
    await rotateUnderLoad('unseal-keys');
    expect(share()).not.toBe(old);

    const unsealer = environment.docker.getContainer(environment.containerName('vault-unsealer'));
    await unsealer.stop();
    const client = vault();
    try {
      await environment.docker.getContainer(environment.containerName('vault')).restart();
      await waitFor({ what: 'Vault to answer', timeoutMs: 60_000 }, () => client.sealStatus());
      await expect(client.unseal(old)).rejects.toThrow(/HTTP (400|500)/);
      expect((await client.sealStatus()).sealed).toBe(true);

      await unsealer.start();
      await waitFor({ what: 'the unsealer to open Vault', timeoutMs: 60_000 }, async () =>
        (await client.sealStatus()).sealed ? new NotYet('it is sealed') : true,
      );
    } finally {
      client.close();
    }
    mustSucceed(await environment.script('up'));
  });

  test('killed after Vault took the new share and before it was noted, it finds the new one in force', async () => {
    // GIVEN
    const old = share();
    await killAfter('rekey', 'unseal-keys');
    const { state } = environment;
    const written = `${state.secret.unsealShare(1)}.new`;
    if (!existsSync(written)) renameSync(state.secret.unsealShare(1), written);
    const inForce = readFileSync(written, 'utf8');
    writeFileSync(state.secret.unsealShare(1), old, { mode: 0o600 });
    const note = JSON.parse(readFileSync(state.rotation, 'utf8')) as { done: string[] };
    writeFileSync(state.rotation, JSON.stringify({ ...note, done: [] }));

    // WHEN
    mustSucceed(await environment.rotate(['unseal-keys']));

    // THEN
    expect(share()).toBe(inForce);
    expect(share()).not.toBe(old);
    expect(existsSync(written)).toBe(false);
  });
});

function vault(): VaultClient {
  const { url, caFile } = vaultAccess(environment.loaded.environment, environment.state, {});
  return new VaultClient({ url, ...(caFile === undefined ? {} : { caFile }) });
}

function fingerprint(leaf: string): string {
  return new X509Certificate(readFileSync(path.join(environment.state.tls, `${leaf}.crt`))).fingerprint256;
}

async function servedBy(program: (typeof SERVERS)[number]): Promise<string | undefined> {
  const { vault: settings, kes, minio } = environment.loaded.environment;
  if (settings.mode !== 'embedded') throw new Error('the tests deploy an embedded Vault');
  const { port } = { vault: settings, kes, minio }[program];
  const { state } = environment;
  const socket = connect({
    host: '127.0.0.1',
    port,
    ca: readFileSync(state.caCertificate),
    // KES ends the connection of a client that shows none
    cert: readFileSync(path.join(state.tls, 'health.crt')),
    key: readFileSync(path.join(state.secret.tls, 'health.key')),
  });
  await once(socket, 'secureConnect');
  socket.end();
  return socket.getPeerX509Certificate()?.fingerprint256;
}
