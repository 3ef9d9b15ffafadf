/** What the planted faults cannot show: answers of Vault that would need a broken or an external one. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { CheckContext } from '../../../../operations/checks/check';
import type { CheckResult } from '../../../../operations/checks/runner';
import { vaultDriftChecks, vaultSealChecks } from '../../../../operations/checks/drift/vault-drift';
import { vaultPrivilegeChecks } from '../../../../operations/checks/privileges/vault-privileges';
import { vaultRootTokens } from '../../../../operations/checks/privileges/vault-root-tokens';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { contextWith, type FakeDeployment, fakeDeployment, loaded, resultOf } from '../fakes';

const folder = useTemporaryFolder();
const METADATA = '/v1/kes/metadata/test/backup-default';
const LIVING = { created_time: '2026-01-01T00:00:00Z', deletion_time: '', destroyed: false };

let server: FakeDeployment | undefined;
let answers: Record<string, readonly [status: number, body: unknown]> = {};
/** Of tokens, by their accessors. */
let lookups: Record<string, readonly [status: number, body: unknown]> = {};

beforeEach(async () => {
  server = await fakeDeployment(folder(), (request, response) => {
    void json(request).then((asked) => {
      const { url = '' } = request;
      const found = url === '/v1/auth/token/lookup-accessor' ? lookups[accessorOf(asked)] : answers[url];
      const [status, body] = found ?? [404, { errors: [] }];
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  const { provisionerToken } = server.loaded.state.secret;
  mkdirSync(path.dirname(provisionerToken), { recursive: true });
  writeFileSync(provisionerToken, 'the-token');
});
afterEach(async () => server?.close());

async function json(request: Readable): Promise<unknown> {
  const body = await text(request);
  return body === '' ? undefined : JSON.parse(body);
}

function accessorOf(asked: unknown): string {
  return (asked as { accessor: string }).accessor;
}

/** A context in which our server is Vault. */
function context(text = ''): CheckContext {
  const environment = loaded(folder(), `name: test\nvault: { mode: embedded, port: ${server?.port ?? 0} }\n${text}`);
  return contextWith(environment, () => undefined);
}

const seal = (more: object) => [200, { initialized: true, sealed: false, t: 1, n: 1, progress: 0, ...more }] as const;

async function run(id: string, given: CheckContext = context()): Promise<CheckResult> {
  return resultOf([...vaultSealChecks, ...vaultDriftChecks, ...vaultPrivilegeChecks, vaultRootTokens], id, given);
}

describe('vault-unsealed', () => {
  test.each<[string, Record<string, readonly [number, unknown]>, RegExp, RegExp]>([
    [
      'is sealed',
      { '/v1/sys/seal-status': seal({ sealed: true, t: 3, n: 5, progress: 1 }) },
      /^Vault is sealed; 1 of the 3 unseal shares that it needs were given$/,
      /docker logs ebs-test-vault-unsealer/,
    ],
    [
      'is empty',
      { '/v1/sys/seal-status': seal({ initialized: false, sealed: true }) },
      /^Vault is empty: it was never initialised, so it holds no key$/,
      /attach the right one, or restore it/,
    ],
    [
      'does not serve',
      { '/v1/sys/seal-status': seal({}), '/v1/sys/health': [474, {}] },
      /^Vault is unsealed and does not serve: sys\/health answers 474$/,
      /docker logs ebs-test-vault/,
    ],
  ])('fails when Vault %s', async (_, given, message, fix) => {
    answers = given;
    expect(await run('vault-unsealed')).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(message) as string,
      fix: expect.stringMatching(fix) as string,
    });
  });

  test('tells who unseals by hand how', async () => {
    answers = { '/v1/sys/seal-status': seal({ sealed: true }) };
    const manual = loaded(
      folder(),
      `name: test\nvault: { mode: embedded, port: ${server?.port ?? 0}, unseal: manual }`,
    );
    expect(
      await run(
        'vault-unsealed',
        contextWith(manual, () => undefined),
      ),
    ).toMatchObject({
      fix: './scripts/unseal test',
    });
  });
});

describe('vault-root-tokens', () => {
  const hoursAgo = (hours: number): number => Math.floor(Date.now() / 1000) - hours * 3600;
  const about = (policies: string[], hours: number) =>
    [200, { data: { policies, creation_time: hoursAgo(hours) } }] as const;

  function tokens(found: Record<string, readonly [number, unknown]>): void {
    answers = {
      '/v1/auth/token/accessors?list=true': [200, { data: { keys: Object.keys(found) } }],
      '/v1/auth/token/lookup-self': [200, { data: { accessor: 'own' } }],
    };
    lookups = found;
  }

  test('fails when one is older than any task', async () => {
    tokens({ own: about(['ebs-test-provisioner'], 900), left: about(['root'], 2), kes: about(['default'], 2) });
    expect(await run('vault-root-tokens')).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(
        /^Vault has a root token that was left: one of 20.*Z \(accessor left\)$/,
      ) as string,
      fix: expect.stringContaining('`vault token revoke -accessor …`') as string,
      evidence: { tokens: 3, rootTokens: 1 },
    });
  });

  test('passes beside one that is used now, and tokens that end meanwhile', async () => {
    tokens({ own: about(['p'], 900), used: about(['root'], 0.5), ended: [403, { errors: ['invalid accessor'] }] });
    expect(await run('vault-root-tokens')).toMatchObject({ status: 'passed', evidence: { tokens: 2, rootTokens: 0 } });
  });

  test('finds out nothing where nothing may be looked up', async () => {
    tokens({ own: [403, { errors: ['permission denied'] }], left: [403, { errors: ['permission denied'] }] });
    expect((await run('vault-root-tokens')).status).toBe('could-not-check');
  });
});

describe('vault-master-keys', () => {
  const metadata = (version: object | undefined, current = 1) =>
    [
      200,
      {
        data: {
          current_version: current,
          delete_version_after: '0s',
          versions: version === undefined ? {} : { '1': version },
        },
      },
    ] as const;

  test.each<[string, readonly [number, unknown], RegExp]>([
    ['is gone', [404, { errors: [] }], /^backup-default is not in Vault: KES serves from memory/],
    ['was written again', metadata(undefined, 7), /^backup-default has no version 1 in Vault, only version 7:/],
    ['is destroyed', metadata({ ...LIVING, destroyed: true }), /^backup-default is destroyed in Vault:/],
    [
      'will be deleted',
      metadata({ ...LIVING, deletion_time: '2999-01-01T00:00:00Z' }),
      /^backup-default will be deleted in Vault at 2999-01-01T00:00:00Z:/,
    ],
  ])('fails when a key %s', async (_, answer, message) => {
    answers = { [METADATA]: answer };
    const result = await run('vault-master-keys');
    expect(result).toMatchObject({ status: 'failed', message: expect.stringMatching(message) as string });
  });

  test('does not fail because it may not look', async () => {
    answers = { [METADATA]: [403, { errors: ['permission denied'] }] };
    expect(await run('vault-master-keys')).toMatchObject({
      status: 'could-not-check',
      message: expect.stringContaining('permission denied (HTTP 403)') as string,
    });
  });

  test('means nothing for KV version 1', async () => {
    expect(await run('vault-master-keys', context('keyStore: { type: vault, kvVersion: 1 }'))).toMatchObject({
      status: 'skipped',
      message: 'KV version 1 tells nothing about a key without showing it',
    });
  });
});

test('a Vault that answers nobody anything refuses, but for a reason that may be gone tomorrow', async () => {
  answers = { '/v1/kes/data/test/backup-default': [503, { errors: ['Vault is sealed'] }] };
  expect(await run('vault-anonymous-refused')).toMatchObject({ status: 'could-not-check' });
});

describe('without a token for an external Vault', () => {
  const { VAULT_TOKEN } = process.env;
  beforeEach(() => {
    delete process.env.VAULT_TOKEN;
  });
  afterEach(() => {
    if (VAULT_TOKEN !== undefined) process.env.VAULT_TOKEN = VAULT_TOKEN;
  });

  test.each(['vault-key-mount', 'vault-master-keys', 'vault-policies', 'vault-approle-role'])(
    '%s says that it was left out',
    async (id) => {
      const environment = loaded(
        folder(),
        'name: test\nvault: { mode: external, address: "https://vault.example.org" }',
      );
      expect(
        await run(
          id,
          contextWith(environment, () => undefined),
        ),
      ).toMatchObject({
        status: 'skipped',
        message: 'VAULT_TOKEN is not set, and without a token the external Vault says nothing',
      });
    },
  );
});

test('master keys that are not in Vault leave Vault out', async () => {
  const environment = loaded(folder(), 'name: test\nkeyStore: { type: filesystem }');
  for (const { id } of [...vaultDriftChecks, ...vaultPrivilegeChecks]) {
    expect(
      await run(
        id,
        contextWith(environment, () => undefined),
      ),
    ).toMatchObject({
      status: 'skipped',
      message: 'the master keys are not in Vault (keyStore.type: filesystem)',
    });
  }
});
