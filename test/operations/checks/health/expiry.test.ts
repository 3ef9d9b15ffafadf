/** From when on what ends by itself is too old: every threshold from both sides. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import path from 'node:path';
import { leafCertificates, vaultClientLeaves } from '../../../../config/certificates/leaf-certificates';
import { parseEnvironment } from '../../../../config/load';
import { vaultClientCa, vaultClientFiles } from '../../../../config/state/endpoints';
import { stateLayout } from '../../../../config/state/layout';
import type { CheckContext } from '../../../../operations/checks/check';
import { expiryChecks, lateVaultClients } from '../../../../operations/checks/health/expiry';
import type { CheckResult } from '../../../../operations/checks/runner';
import { Authority, type Issued } from '../../../helpers/pki';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { close, contextWith, type FakeDeployment, fakeDeployment, listen, loaded, resultOf } from '../fakes';

const HOUR = 1;
const DAY = 24 * HOUR;
/** More than a test takes. */
const MOMENT = HOUR / 6;
const HOST = 's3.example.org';

const folder = useTemporaryFolder();
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of closing.splice(0)) await end();
});

/** How long something lives in all, and how much of that is left, in hours. */
interface Life {
  readonly of: number;
  readonly left: number;
}

function datesOf({ of: all, left }: Life): { notBefore: Date; notAfter: Date } {
  const end = Date.now() + left * 3_600_000;
  return { notBefore: new Date(end - all * 3_600_000), notAfter: new Date(end) };
}

describe('certificates-valid', () => {
  const YOUNG: Life = { of: 60 * DAY, left: 59 * DAY };

  interface Lives {
    readonly ca?: Life;
    readonly leaves?: Life;
    /** That of the S3 API, from a file. */
    readonly file?: Life;
    /** That of the S3 API, by ACME. */
    readonly acme?: Life;
  }

  /** Looks at a deployment with certificates of such an age, which its servers serve. */
  async function look({
    ca = { of: 3650 * DAY, left: 3000 * DAY },
    leaves = YOUNG,
    ...s3
  }: Lives): Promise<CheckResult> {
    const state = stateLayout('test', folder());
    const authority = await Authority.root('ca', datesOf(ca));
    const inside = await authority.issue({ names: ['minio', '127.0.0.1'], ...datesOf(leaves) });
    mkdirSync(state.tls, { recursive: true });
    const keep = (name: string, { certificate }: Pick<Issued, 'certificate'>): void => {
      writeFileSync(path.join(state.tls, `${name}.crt`), certificate);
    };
    keep('ca', authority);
    for (const { name } of leafCertificates(parseEnvironment('name: test', 'test.yaml'))) keep(name, inside);
    const server = createServer({ cert: inside.certificate, key: inside.privateKey });
    const ofClients = s3.file ?? s3.acme;
    if (ofClients !== undefined) {
      const shown = await authority.issue({ names: [HOST], ...datesOf(ofClients) });
      keep('s3', shown);
      server.addContext(HOST, { cert: shown.certificate, key: shown.privateKey });
    }
    return resultOf(expiryChecks, 'certificates-valid', await servedAt(server, textOf(s3)));
  }

  function textOf({ file, acme }: Lives): string {
    if (file !== undefined) return 'tls: { mode: files, certificate: /pki/s3.crt, privateKey: /pki/s3.key }';
    if (acme === undefined) return '';
    const challenge = 'challenge: { type: http-01, port: 80 }';
    const account = 'directory: "https://acme.example.org", email: a@example.org, termsOfServiceAgreed: true';
    return `tls: { mode: acme, ${account}, domains: [${HOST}], ${challenge} }`;
  }

  async function servedAt(server: Server, text: string): Promise<CheckContext> {
    const port = await listen(server);
    closing.push(async () => close(server));
    const environment = loaded(folder(), `name: test\nkeyStore: { type: filesystem }\nkes: { port: ${port} }\n${text}`);
    const s3Endpoint = { url: `https://127.0.0.1:${port}`, caFile: environment.state.caCertificate };
    return { ...contextWith(environment, () => undefined), s3Endpoint };
  }

  test.each<[string, Lives]>([
    ['the CA has 90 days left', { ca: { of: 3650 * DAY, left: 90 * DAY + MOMENT } }],
    ['a sixth of the life of a certificate is left', { leaves: { of: 60 * DAY, left: 10 * DAY + MOMENT } }],
    ['a sixth of the life of an ordered one is left', { acme: { of: 90 * DAY, left: 15 * DAY + MOMENT } }],
    ['a file has 7 days left, far less than a sixth', { file: { of: 365 * DAY, left: 7 * DAY + MOMENT } }],
    ['a file of a day has a sixth left', { file: { of: DAY, left: 4 * HOUR + MOMENT } }],
    ['a file of three days was made a moment ago', { file: { of: 3 * DAY, left: 3 * DAY - MOMENT } }],
  ])('passes while %s', async (_, lives) => {
    const result = await look(lives);
    expect([result.status, result.message]).toEqual(['passed', undefined]);
  });

  const BY_DEPLOY =
    './scripts/up test renews certificates and has them served; then let it run on a schedule. The CA: ./scripts/rotate ca test';
  const BY_OWNER =
    'put a renewed certificate with its key where tls.certificate (/pki/s3.crt) is, then ./scripts/up test';

  test.each<[string, Lives, message: string, fix: string]>([
    [
      'the CA has less than 90 days left',
      { ca: { of: 3650 * DAY, left: 90 * DAY - MOMENT } },
      'the CA ends in 89.9 days; no deploy renews it',
      BY_DEPLOY,
    ],
    [
      'less than a sixth of the life of certificates is left',
      { leaves: { of: 60 * DAY, left: 10 * DAY - MOMENT } },
      `${['kes-server', 'minio-server', 'minio']
        .map((name) => `${name} ends in 9.9 days, and no deploy renewed it`)
        .join('; ')}; and 3 more`,
      BY_DEPLOY,
    ],
    [
      'less than a sixth of the life of an ordered one is left',
      { acme: { of: 90 * DAY, left: 15 * DAY - MOMENT } },
      's3 ends in 14.9 days, and no deploy renewed it',
      BY_DEPLOY,
    ],
    [
      'a file has less than 7 days left',
      { file: { of: 365 * DAY, left: 7 * DAY - MOMENT } },
      's3, deployed from tls.certificate (/pki/s3.crt), ends in 6.9 days',
      BY_OWNER,
    ],
    [
      'a file of a day has less than a sixth left',
      { file: { of: DAY, left: 4 * HOUR - MOMENT } },
      's3, deployed from tls.certificate (/pki/s3.crt), ends in 0.1 days',
      BY_OWNER,
    ],
    [
      'a file has ended, for which it is trusted no more',
      { file: { of: DAY, left: -MOMENT } },
      's3, deployed from tls.certificate (/pki/s3.crt), expired 0.1 days ago; ' +
        's3: ADDRESS serves another certificate than the one in FOLDER/tls (CERT_HAS_EXPIRED)',
      BY_OWNER,
    ],
  ])('fails when %s', async (_, lives, message, fix) => {
    const result = await look(lives);
    const said = result.message?.replace(/https:\S+/, 'ADDRESS').replace(folder(), 'FOLDER');
    expect([result.status, said, result.fix]).toEqual(['failed', message, fix]);
  });
});

describe('clients of the Vaults of several hosts', () => {
  const HOSTS = ['a', 'b', 'c'].map(
    (name, index) => `  - { name: ${name}, docker: ssh://${name}, address: 192.0.2.1${index} }`,
  );

  async function late(ca: Life, leaves: Life, hosts = HOSTS): Promise<{ problems: string[]; found: string[] }> {
    const text = ['name: test', ...(hosts.length === 0 ? [] : ['hosts:', ...hosts])].join('\n');
    const { environment, state } = loaded(folder(), text);
    const authority = await Authority.root('ca', datesOf(ca));
    const leaf = await authority.issue({ names: ['client'], ...datesOf(leaves) });
    mkdirSync(state.vaultClients, { recursive: true });
    writeFileSync(vaultClientCa(state), authority.certificate);
    for (const { name } of vaultClientLeaves(environment)) {
      writeFileSync(vaultClientFiles(state, name).certificate, leaf.certificate);
    }
    const found = {};
    return { problems: lateVaultClients({ environment, state }, found, Date.now()), found: Object.keys(found) };
  }
  const LONG: Life = { of: 3650 * DAY, left: 91 * DAY };
  const YOUNG: Life = { of: 60 * DAY, left: 10 * DAY + MOMENT };

  test('with enough left', async () => {
    const { problems, found } = await late(LONG, YOUNG);
    expect(problems).toEqual([]);
    expect(found).toEqual(expect.arrayContaining(['vault-clients/ca', 'vault-clients/operator']));
  });

  test('that a deploy should have renewed', async () => {
    const { problems } = await late(
      { of: 3650 * DAY, left: 89 * DAY + MOMENT },
      { of: 60 * DAY, left: 9 * DAY + MOMENT },
    );
    expect(problems).toEqual(
      expect.arrayContaining([
        'the CA of the clients of Vault ends in 89 days; no deploy renews it',
        'operator, a client of Vault, ends in 9 days, and no deploy renewed it',
      ]),
    );
  });

  test('one host has none', async () => {
    expect(await late(LONG, YOUNG, [])).toEqual({ problems: [], found: [] });
  });
});

describe('in Vault', () => {
  let answers: Record<string, unknown> = {};
  let vault: FakeDeployment;

  beforeEach(async () => {
    vault = await fakeDeployment(folder(), ({ url = '' }, response) => {
      const answer = answers[url];
      response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer ?? { errors: [] }));
    });
    closing.push(vault.close);
    const { provisionerToken, kesConfiguration } = vault.loaded.state.secret;
    mkdirSync(path.dirname(provisionerToken), { recursive: true });
    writeFileSync(provisionerToken, 'the-token');
    mkdirSync(path.dirname(kesConfiguration), { recursive: true });
    writeFileSync(kesConfiguration, 'keystore: { vault: { approle: { id: the-role, secret: the-secret-id } } }');
  });

  async function run(id: string): Promise<CheckResult> {
    const environment = loaded(folder(), `name: test\nvault: { mode: embedded, port: ${vault.port} }`);
    return resultOf(
      expiryChecks,
      id,
      contextWith(environment, () => undefined),
    );
  }

  const PERIOD = 768 * 3600;
  test.each<[string, object, message: string | undefined]>([
    ['a sixth of its period is left', { ttl: PERIOD / 6 }, undefined],
    [
      'less than a sixth of its period is left',
      { ttl: PERIOD / 6 - 1 },
      'the provisioner token ends in 5.3 days, and no deploy renewed it',
    ],
    ['it has no period', { ttl: PERIOD, period: 0 }, 'the provisioner token cannot be renewed'],
    ['it is not renewable', { ttl: PERIOD, renewable: false }, 'the provisioner token cannot be renewed'],
  ])('provisioner-token-valid: %s', async (_, more, message) => {
    answers = { '/v1/auth/token/lookup-self': { data: { period: PERIOD, renewable: true, ...more } } };
    const result = await run('provisioner-token-valid');
    expect([result.status, result.message]).toEqual([message === undefined ? 'passed' : 'failed', message]);
  });

  const NEVER = { creation_time: '2026-01-01T00:00:00Z', expiration_time: '0001-01-01T00:00:00Z' };
  const lives = (life: Life): typeof NEVER => {
    const { notBefore, notAfter } = datesOf(life);
    return { creation_time: notBefore.toISOString(), expiration_time: notAfter.toISOString() };
  };
  test.each<[string, () => object, message: string | undefined]>([
    ['it never ends', () => NEVER, undefined],
    ['a sixth of its life is left', () => lives({ of: 30 * DAY, left: 5 * DAY + MOMENT }), undefined],
    [
      'less than a sixth of its life is left',
      () => lives({ of: 30 * DAY, left: 5 * DAY - MOMENT }),
      'the SecretID of KES ends in 4.9 days, and no deploy renewed it',
    ],
    ['it has a day left, more than a sixth', () => lives({ of: 2 * DAY, left: DAY + MOMENT }), undefined],
    [
      'it has less than a day left',
      () => lives({ of: 2 * DAY, left: DAY - MOMENT }),
      'the SecretID of KES ends in 0.9 days, and no deploy renewed it',
    ],
    [
      'it works a number of times only',
      () => ({ ...NEVER, secret_id_num_uses: 1 }),
      'the SecretID of KES works 1 more time(s), then KES cannot start',
    ],
  ])('kes-secret-id-valid: %s', async (_, facts, message) => {
    answers = {
      '/v1/auth/approle/role/ebs-test-kes/secret-id/lookup': { data: { secret_id_num_uses: 0, ...facts() } },
    };
    const result = await run('kes-secret-id-valid');
    expect([result.status, result.message]).toEqual([message === undefined ? 'passed' : 'failed', message]);
  });
});
