/** What the planted faults cannot show: answers of Vault that would need a broken or an external one. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CheckContext } from '../../../../operations/checks/check';
import type { CheckResult } from '../../../../operations/checks/runner';
import { vaultDriftChecks, vaultSealChecks } from '../../../../operations/checks/drift/vault-drift';
import { vaultPrivilegeChecks } from '../../../../operations/checks/privileges/vault-privileges';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { contextWith, type FakeDeployment, fakeDeployment, loaded, resultOf } from '../fakes';

const folder = useTemporaryFolder();
const METADATA = '/v1/kes/metadata/test/backup-default';
const LIVING = { created_time: '2026-01-01T00:00:00Z', deletion_time: '', destroyed: false };

let server: FakeDeployment | undefined;
let answers: Record<string, readonly [status: number, body: unknown]> = {};

beforeEach(async () => {
  server = await fakeDeployment(folder(), ({ url = '' }, response) => {
    const [status, body] = answers[url] ?? [404, { errors: [] }];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  const { provisionerToken } = server.loaded.state.secret;
  mkdirSync(path.dirname(provisionerToken), { recursive: true });
  writeFileSync(provisionerToken, 'the-token');
});
afterEach(async () => server?.close());

/** A context in which our server is Vault. */
function context(text = ''): CheckContext {
  const environment = loaded(folder(), `name: test\nvault: { mode: embedded, port: ${server?.port ?? 0} }\n${text}`);
  return contextWith(environment, () => undefined);
}

const seal = (more: object) => [200, { initialized: true, sealed: false, t: 1, n: 1, progress: 0, ...more }] as const;

async function run(id: string, given: CheckContext = context()): Promise<CheckResult> {
  return resultOf([...vaultSealChecks, ...vaultDriftChecks, ...vaultPrivilegeChecks], id, given);
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
