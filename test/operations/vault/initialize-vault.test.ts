/** What an empty Vault means: keys that were lost, or a place that keys are on their way to. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import type { KeyStorePlace } from '../../../config/keys/key-store-place';
import { writeKeyStoreNote } from '../../../operations/state/notes/key-store-note';
import type { OperationInput } from '../../../config/operation-inputs';
import { type Canary, writeCanaries } from '../../../operations/state/notes/canaries';
import { ExternalError } from '../../../operations/lib/errors';
import { initializeVault } from '../../../operations/vault/initialize-vault';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';

const folder = useTemporaryFolder();
const EMBEDDED: KeyStorePlace = { type: 'vault', mount: 'kes', prefix: 'local', kvVersion: 2 };
const CANARY: Canary = {
  bornAt: '2026-01-01T00:00:00.000Z',
  origin: 'created',
  ciphertext: 'sealed',
  plaintextSha256: '0'.repeat(64),
};
let vault: TlsServer;
let input: OperationInput<'initialize-vault'>;
let initialized: boolean;
let sealed: boolean;
/** Whether the answer to the initialisation arrives. */
let vaultAnswers: boolean;
/** Answers instead. */
let instead: ((request: IncomingMessage, response: ServerResponse, body: string) => void) | undefined;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const seal = { t: 1, n: 1, progress: 0 };
  initialized = false;
  sealed = true;
  vaultAnswers = true;
  instead = undefined;
  // a Vault that was never initialised, and does what its root token asks
  vault = await TlsServer.start(await ca.issue('vault'), (request, response, body) => {
    if (instead !== undefined) {
      instead(request, response, body);
      return;
    }
    const { method, url } = request;
    const answers: Record<string, unknown> = {
      'GET /v1/sys/seal-status': { ...seal, initialized, sealed },
      'POST /v1/sys/init': { keys: ['share'], root_token: 'root' },
      'POST /v1/auth/token/create-orphan': { auth: { client_token: 'provisioner' } },
    };
    if (url === '/v1/sys/init') {
      initialized = true;
      sealed = false;
      if (!vaultAnswers) {
        response.destroy();
        return;
      }
    }
    response.end(JSON.stringify(answers[`${method} ${url}`] ?? {}));
  });
  const file = (name: string): string => path.join(folder(), name);
  input = {
    environment: 'local',
    endpoint: { url: vault.url, caFile: ca.file },
    ...{ shares: 1, threshold: 1, unsealShareFiles: [file('unseal-share-1')], rootTokenFile: file('root-token') },
    provisionerTokenFile: file('provisioner-token'),
    provisionerPolicy: { name: 'provisioner', document: '' },
    ...{ canariesFile: file('canaries.json'), placeFile: file('key-store.json'), renewalNote: file('renewal') },
  };
  writeCanaries(input.canariesFile, { 'master-key': CANARY });
});
afterEach(async () => {
  jest.restoreAllMocks();
  await vault.stop();
});

test.each<[string, KeyStorePlace]>([
  ['files', { type: 'filesystem' }],
  ['AWS', { type: 'aws', region: 'eu-central-1', endpoint: 'https://secretsmanager.eu-central-1.amazonaws.com' }],
  ['an external Vault', { ...EMBEDDED, address: 'https://vault.example.com' }],
])('canaries of keys in %s say nothing about this Vault: it is initialised', async (_, place) => {
  writeKeyStoreNote(input.placeFile, place, { to: EMBEDDED, sourceForgotten: true });
  await initializeVault(input);
  expect(initialized).toBe(true);
  expect(readFileSync(input.provisionerTokenFile, 'utf8')).toBe('provisioner');
});

test.each<[string, KeyStorePlace | undefined]>([
  ['this Vault', EMBEDDED],
  ['a place that nobody noted', undefined],
])('canaries of keys in %s: they were lost, and an empty Vault must not take their place', async (_, place) => {
  if (place !== undefined) writeKeyStoreNote(input.placeFile, place);
  const error = await rejectionOf(initializeVault(input));
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toBe(
    'Vault is empty, but environment local already has master keys (master-key): its volume was lost or replaced',
  );
  expect(initialized).toBe(false);
  expect(existsSync(input.unsealShareFiles[0] ?? '')).toBe(false);
});

test('an empty Vault of several, of which the master keys are known, joins the others and is never initialised', async () => {
  const asked: string[] = [];
  let looks = 0;
  instead = ({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    // it has joined when it is asked for the fourth time
    if (url === '/v1/sys/seal-status') looks += 1;
    const answers: Record<string, unknown> = {
      'GET /v1/sys/seal-status': { t: 1, n: 1, progress: 0, initialized: looks > 3, sealed: false },
      'GET /v1/sys/policies/acl/provisioner': { data: { policy: '' } },
    };
    response.end(JSON.stringify(answers[`${method} ${url}`] ?? {}));
  };
  writeFileSync(input.provisionerTokenFile, 'the token of before');
  const shown = await (await ThrowawayCa.create(folder(), 'clients')).issue('deployer');
  await initializeVault({ ...input, others: [{ ...input.endpoint, ...shown }] });
  expect(asked).not.toContain('POST /v1/sys/init');
  expect(asked).toContain('POST /v1/auth/token/renew-self');
  expect(readFileSync(input.provisionerTokenFile, 'utf8')).toBe('the token of before');
});

describe('a root token that an interrupted run left', () => {
  const asked: string[] = [];
  /** What Vault answers to the question whether it knows the token. */
  let answer: number;

  beforeEach(async () => {
    writeCanaries(input.canariesFile, {});
    await initializeVault(input);
    rmSync(input.provisionerTokenFile);
    writeFileSync(input.rootTokenFile, 'left-root');
    asked.length = 0;
    instead = ({ method, url, headers }, response) => {
      asked.push(`${method} ${url}`);
      const tokens: Record<string, unknown> = {
        'POST /v1/sys/generate-root/attempt': { nonce: 'n', otp: '\0\0\0\0' },
        'POST /v1/sys/generate-root/update': { nonce: 'n', encoded_token: Buffer.from('made').toString('base64') },
        'GET /v1/sys/seal-status': { t: 1, n: 1, progress: 0, initialized: true, sealed: false },
        'POST /v1/auth/token/create-orphan': { auth: { client_token: 'provisioner' } },
      };
      if (url === '/v1/auth/token/lookup-self' && headers['x-vault-token'] === 'left-root')
        response.statusCode = answer;
      response.end(JSON.stringify(tokens[`${method} ${url}`] ?? {}));
    };
  });

  test.each([
    ['is used and revoked where Vault knows it', 200, false],
    ['is replaced where Vault denies it', 403, true],
  ])('%s', async (_, status, replaced) => {
    answer = status;
    await initializeVault(input);
    expect(asked.some((request) => request.includes('generate-root'))).toBe(replaced);
    expect(asked).toContain('POST /v1/auth/token/revoke-self');
    expect(existsSync(input.rootTokenFile)).toBe(false);
  });

  test.each([429, 472, 500, 503])('stays in its file where Vault answers %i: it may live', async (status) => {
    answer = status;
    expect((await rejectionOf(initializeVault(input))).message).toContain(
      `GET /v1/auth/token/lookup-self: {} (HTTP ${status})`,
    );
    expect(readFileSync(input.rootTokenFile, 'utf8')).toBe('left-root');
    expect(asked.some((request) => request.includes('generate-root'))).toBe(false);
  });
});

describe('an initialisation that was killed', () => {
  /** All but the client's end of it. */
  const killed = async (): Promise<void> => {
    writeCanaries(input.canariesFile, {});
    vaultAnswers = false;
    await rejectionOf(initializeVault(input));
    vaultAnswers = true;
  };

  test('took the shares along: that Vault may go, and is named', async () => {
    await killed();
    sealed = true;
    expect(await rejectionOf(initializeVault(input))).toMatchObject({
      message: `Vault was initialised by a command that was killed before it had saved the unseal shares: 0 of 1 are in ${folder()}. Nothing was ever put in`,
      hint: 'remove it (docker rm -f ebs-local-vault ebs-local-vault-data-owner; docker volume rm ebs-local-vault-data) and run the same command again',
    });
  });

  test('is made good where that Vault is gone', async () => {
    await killed();
    initialized = false;
    await initializeVault(input);
    expect(readFileSync(input.unsealShareFiles[0] ?? '', 'utf8')).toBe('share');
    expect(readFileSync(input.provisionerTokenFile, 'utf8')).toBe('provisioner');
  });

  test('of which keys are known by now is nobody’s to remove, and its shares stay', async () => {
    // GIVEN a mark that came back with an old copy of the folder, and one of two shares
    const second = path.join(folder(), 'unseal-share-2');
    input = { ...input, shares: 2, unsealShareFiles: [...input.unsealShareFiles, second] };
    await killed();
    writeFileSync(input.unsealShareFiles[0] ?? '', 'share');
    writeCanaries(input.canariesFile, { 'master-key': CANARY });

    // WHEN the volume is another one, THEN
    initialized = false;
    expect((await rejectionOf(initializeVault(input))).message).toBe(
      'Vault is empty, but environment local already has master keys (master-key): its volume was lost or replaced',
    );
    expect(readFileSync(input.unsealShareFiles[0] ?? '', 'utf8')).toBe('share');

    // WHEN it is that one, and the share is elsewhere, THEN
    initialized = true;
    sealed = true;
    rmSync(input.unsealShareFiles[0] ?? '');
    expect((await rejectionOf(initializeVault(input))).message).toBe(
      `Vault is initialised and sealed, and 0 of the 1 unseal shares that it needs are in ${folder()}`,
    );
  });

  test('and one that was not is nobody’s to remove, however little of it is left here', async () => {
    writeCanaries(input.canariesFile, {});
    await initializeVault(input);
    for (const file of [...input.unsealShareFiles, input.provisionerTokenFile]) rmSync(file);
    sealed = true;
    expect(await rejectionOf(initializeVault(input))).toMatchObject({
      message: `Vault is initialised and sealed, and 0 of the 1 unseal shares that it needs are in ${folder()}`,
      hint: 'put the shares back, or unseal Vault by hand: ./scripts/unseal local',
    });
  });
});

describe('with a token that reads metrics', () => {
  const metricsFile = (): string => path.join(folder(), 'metrics-token');
  const POLICY = { name: 'metrics', document: 'path "sys/metrics" {}' };
  /** What was asked, as `METHOD path`, with what was sent. */
  let asked: { what: string; token: string | undefined; body: Record<string, unknown> }[];
  /** The policies that Vault has. */
  let policies: Record<string, string>;

  beforeEach(() => {
    asked = [];
    policies = {};
    rmSync(input.canariesFile);
    input = { ...input, metrics: { tokenFile: metricsFile(), policy: POLICY } };
    instead = ({ method = '', url = '', headers }, response, text) => {
      const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
      asked.push({ what: `${method} ${url}`, token: headers['x-vault-token'] as string | undefined, body });
      response.end(JSON.stringify(answerOf(method, url, body)));
    };
  });

  function answerOf(method: string, url: string, body: Record<string, unknown>): unknown {
    const policy = /^\/v1\/sys\/policies\/acl\/(.*)$/.exec(url)?.[1];
    if (policy !== undefined) {
      if (method === 'POST') policies[policy] = String(body.policy);
      return { data: { policy: policies[policy] ?? 'another' } };
    }
    if (url === '/v1/sys/seal-status') return { t: 1, n: 1, progress: 0, initialized, sealed };
    if (url === '/v1/sys/init') {
      initialized = true;
      sealed = false;
      return { keys: ['share'], root_token: 'root' };
    }
    if (url === '/v1/auth/token/create-orphan') return { auth: { client_token: `token of ${String(body.policies)}` } };
    return {};
  }

  const made = () => asked.filter(({ what }) => what === 'POST /v1/auth/token/create-orphan');

  test('it has its policy alone, and is made by the root token that ends then', async () => {
    await initializeVault(input);
    expect(readFileSync(metricsFile(), 'utf8')).toBe('token of metrics');
    expect(policies).toEqual({ provisioner: '', metrics: POLICY.document });
    expect(made().map(({ token, body }) => [token, body.policies, body.no_default_policy])).toEqual([
      ['root', ['provisioner'], undefined],
      ['root', ['metrics'], true],
    ]);
    expect(asked.at(-1)).toMatchObject({ what: 'POST /v1/auth/token/revoke-self', token: 'root' });
  });

  test('it stays, and is renewed by itself', async () => {
    await initializeVault(input);
    asked = [];
    await initializeVault(input);
    expect(made()).toEqual([]);
    const renewals = asked.filter(({ what }) => what === 'POST /v1/auth/token/renew-self');
    expect(renewals.map(({ token }) => token)).toEqual(['token of metrics', 'token of provisioner']);
  });
});

describe('a seal', () => {
  /** A Vault that knows of each kind of share which are in force, by their name, and whether it waits for them. */
  let inForce: Record<'unseal' | 'recovery', string>;
  let migration: boolean;
  let requests: string[];
  const fileOf = (kind: 'unseal' | 'recovery', number = 1): string => path.join(folder(), `${kind}-share-${number}`);
  const own = (kind: 'unseal' | 'recovery', number = 1): string | undefined => {
    const file = fileOf(kind, number);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  };
  const leaving = (): void => {
    input = { ...input, ...(input.seal === undefined ? {} : { seal: { ...input.seal, leave: true } }) };
  };

  beforeEach(() => {
    const file = (name: string): string => path.join(folder(), name);
    writeCanaries(input.canariesFile, {});
    writeFileSync(input.provisionerTokenFile, 'provisioner');
    input = {
      ...input,
      seal: {
        access: {
          type: 'transit',
          url: 'https://seal.example.com',
          mount: 'transit',
          key: 'k',
          tokenFile: file('token'),
        },
        recoveryShareFiles: [file('recovery-share-1')],
        leave: false,
        noteFile: file('vault-seal.json'),
      },
    };
    initialized = true;
    sealed = true;
    migration = true;
    requests = [];
    inForce = { unseal: 'old', recovery: 'old' };
    let made = '';
    instead = ({ method, url = '' }, response, body) => {
      const asked = (body === '' ? {} : JSON.parse(body)) as {
        readonly key?: string;
        readonly reset?: boolean;
        readonly migrate?: boolean;
        readonly recovery_shares?: number;
      };
      const { key, reset, migrate = false, recovery_shares: shares } = asked;
      const kind = url.startsWith('/v1/sys/rekey-recovery-key') ? 'recovery' : 'unseal';
      requests.push(`${method} ${url}${key === undefined ? '' : ` ${key}`}${migrate ? ' migrate' : ''}`);
      const status = () => ({ t: 1, n: 1, progress: 0, initialized, sealed, migration });
      const rekey = kind === 'recovery' ? '/v1/sys/rekey-recovery-key' : '/v1/sys/rekey';
      const answers: Record<string, () => unknown> = {
        'GET /v1/sys/seal-status': status,
        'POST /v1/sys/init': () => {
          [initialized, sealed, inForce.recovery] = [true, false, 'born'];
          return { keys: [], recovery_keys: shares === 1 ? ['born'] : [], root_token: 'root' };
        },
        'POST /v1/sys/unseal': () => {
          if (reset !== true && migrate === migration && key === 'old') [sealed, migration] = [false, false];
          return status();
        },
        [`GET ${rekey}/init`]: () => ({ started: false, nonce: '', required: 1 }),
        [`POST ${rekey}/init`]: () => ({ started: true, nonce: 'n', required: 1 }),
        [`POST ${rekey}/update`]: () => {
          if (key !== inForce[kind]) {
            response.statusCode = 400;
            return { errors: [`${kind} key verification failed`] };
          }
          made = 'made';
          return { keys: [made], verification_nonce: 'v' };
        },
        [`POST ${rekey}/verify`]: () => {
          if (key === made) inForce[kind] = made;
          return { complete: key === made };
        },
        'GET /v1/sys/policies/acl/provisioner': () => ({ data: { policy: '' } }),
        'POST /v1/auth/token/create-orphan': () => ({ auth: { client_token: 'provisioner' } }),
      };
      response.end(JSON.stringify(answers[`${method} ${url}`]?.() ?? {}));
    };
  });

  test('a new Vault gets recovery shares, and no unseal share is written', async () => {
    [initialized, migration] = [false, false];
    await initializeVault(input);
    expect([own('unseal'), own('recovery')]).toEqual([undefined, 'born']);
    expect(existsSync(input.seal?.noteFile ?? '')).toBe(true);
  });

  test('one that shares open gets them once more, then other ones take their place', async () => {
    writeFileSync(input.unsealShareFiles[0] ?? '', 'old');
    await initializeVault(input);
    expect(requests).toContain('POST /v1/sys/unseal old migrate');
    expect([own('unseal'), own('recovery'), inForce.recovery]).toEqual([undefined, 'made', 'made']);
  });

  test.each([
    ['before Vault took the new ones', 'old', 'made'],
    ['after it', 'never noted', 'never noted'],
  ])('a run that was killed %s, goes on', async (_, inVault, expected) => {
    [sealed, migration] = [false, false];
    inForce.recovery = inVault;
    writeFileSync(input.unsealShareFiles[0] ?? '', 'old');
    writeFileSync(input.seal?.recoveryShareFiles[0] ?? '', 'never noted');
    await initializeVault(input);
    expect([own('unseal'), own('recovery'), inForce.recovery]).toEqual([undefined, expected, expected]);
  });

  test('all shares of a kind are seen, also where fewer are declared than there were', async () => {
    for (const number of [3, 4]) writeFileSync(fileOf('unseal', number), 'old');
    await initializeVault(input);
    expect(requests).toContain('POST /v1/sys/unseal old migrate');
    expect([own('recovery'), own('unseal', 3), own('unseal', 4)]).toEqual(['made', undefined, undefined]);
  });

  test('shares that are not at hand are asked for, and Vault stays as it is', async () => {
    const error = await rejectionOf(initializeVault(input));
    expect(error.message).toBe(`Vault waits for 1 unseal share(s) to change its seal, and 0 are in ${folder()}`);
    expect(sealed).toBe(true);
  });

  test.each([
    ['', true],
    [', in a run that was killed before the files had their names', false],
  ])('one that leaves it is opened by its recovery shares, which are unseal shares then%s', async (_, waits) => {
    leaving();
    for (const number of [1, 3]) writeFileSync(fileOf('recovery', number), 'old');
    // a migration of the keys took the note away: that Vault waits says the same
    if (!waits) writeFileSync(input.seal?.noteFile ?? '', '{}');
    [sealed, migration] = [waits, waits];
    await initializeVault(input);
    expect([own('unseal'), own('unseal', 3), own('recovery'), own('recovery', 3)]).toEqual([
      ...['old', 'old'],
      ...[undefined, undefined],
    ]);
    expect(existsSync(input.seal?.noteFile ?? '')).toBe(false);
  });

  test.each([
    ['without a note', false],
    ['with the note of that one', true],
  ])('recovery shares of an earlier Vault never take the place of unseal shares in force, %s', async (_, noted) => {
    leaving();
    [sealed, migration] = [false, false];
    inForce.unseal = 'in force';
    writeFileSync(fileOf('unseal'), 'in force');
    writeFileSync(fileOf('recovery'), 'of an earlier Vault');
    if (noted) writeFileSync(input.seal?.noteFile ?? '', '{}');
    await initializeVault(input);
    expect([own('unseal'), own('recovery')]).toEqual(['in force', 'of an earlier Vault']);
    expect(existsSync(input.seal?.noteFile ?? '')).toBe(false);
  });

  test('recovery shares in force take the place of unseal shares that open nothing any more', async () => {
    leaving();
    [sealed, migration] = [false, false];
    inForce.unseal = 'in force';
    for (const number of [1, 2]) writeFileSync(fileOf('unseal', number), 'of before the seal');
    writeFileSync(fileOf('recovery'), 'in force');
    writeFileSync(input.seal?.noteFile ?? '', '{}');
    await initializeVault(input);
    expect([own('unseal'), own('unseal', 2), own('recovery')]).toEqual(['in force', undefined, undefined]);
  });

  test('an empty Vault has none to leave', async () => {
    leaving();
    initialized = false;
    const error = await rejectionOf(initializeVault(input));
    expect(error.message).toBe(
      'vault.unseal.leave: the Vault of environment local is empty, so it has no seal to leave',
    );
    expect(requests).not.toContain('POST /v1/sys/init');
  });
});
