/** The ways to come by certificates, one after the other in one deployment: its objects must stay readable throughout. */
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { s3CertificateFiles } from '../../config/state/certificate-files';
import { s3Endpoint } from '../../config/state/endpoints';
import { stacksIn } from '../../operations/terraform/stack-names';
import { s3Client } from '../../operations/minio/s3-client';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { mc } from '../helpers/e2e/clients/clients';
import { mustSucceed } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/clients/measured';
import { type Pebble, startPebble } from '../helpers/e2e/servers/pebble';
import { startLoad } from '../helpers/e2e/clients/s3-load';
import { servedCertificate } from '../helpers/e2e/served-certificate';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { testPorts } from '../helpers/e2e/test-ports';
import { Authority } from '../helpers/pki';
import { TlsServer } from '../helpers/servers/tls-server';

const HOST = 's3.e2e.test';
const OTHER_HOST = 'backup.e2e.test';
const OBJECT = { Bucket: 'of-a-test', Key: 'object' };

let environment: TestEnvironment;
let root: Authority;
let middle: Authority;

beforeAll(async () => {
  environment = await TestEnvironment.create({ minio: { hostnames: [HOST] } });
  root = await Authority.root('Root of a company');
  middle = await root.intermediate('Issuing CA of a company');
  write('root.crt', root.certificate);
});

afterAll(async () => {
  await environment.remove();
});

const at = (name: string): string => path.join(environment.folder, name);
function write(name: string, text: string): string {
  writeFileSync(at(name), text, { mode: 0o600 });
  return at(name);
}
const port = (): number => environment.loaded.environment.minio.port;
const served = async (serverName?: string) => servedCertificate(port(), at('root.crt'), serverName);
const deploy = async () => environment.cdktf(['deploy', '*', '--auto-approve']);
/** Without the checks, which passed with the same settings before; each test looks at what is served itself. */
const deployCertificates = async () =>
  environment.cdktf([
    'deploy',
    ...stacksIn(environment.loaded.environment, { to: 'minio' }).map((stack) => `${environment.name}-${stack}`),
    '--auto-approve',
  ]);

async function objectIsReadable(): Promise<void> {
  const s3 = environment.s3();
  expect(await (await s3.send(new GetObjectCommand(OBJECT))).Body?.transformToString()).toBe('from the first day');
  s3.destroy();
}

describe('self-signed', () => {
  test('the certificate has the names and addresses that were chosen, and the CA can be handed out', async () => {
    environment.write({ minio: { hostnames: [HOST] }, tls: { mode: 'self-signed', ipAddresses: ['192.0.2.7'] } });
    mustSucceed(await environment.script('up'));
    const ca = mustSucceed(await environment.script('ca')).stdout;
    expect(ca).toBe(readFileSync(environment.state.caCertificate, 'utf8'));
    const { names } = await servedCertificate(port(), write('handed-out.crt', ca), HOST);
    expect(names).toContain(`DNS:${HOST}`);
    expect(names).toContain('IP Address:192.0.2.7');

    const s3 = environment.s3();
    await s3.send(new CreateBucketCommand({ Bucket: OBJECT.Bucket }));
    await s3.send(new PutObjectCommand({ ...OBJECT, Body: 'from the first day' }));
    s3.destroy();
  });
});

describe('trusted CAs and certificates from files', () => {
  let gateway: string;
  let server: TlsServer;
  const requests: string[] = [];

  beforeAll(async () => {
    const network = (await environment.docker.getNetwork(`ebs-${environment.name}`).inspect()) as {
      IPAM: { Config: { Gateway: string }[] };
    };
    gateway = network.IPAM.Config[0]?.Gateway ?? 'none';
    const third = await Authority.root('A third party');
    const { certificate, privateKey } = await third.issue({ names: [gateway] });
    write('third-party.crt', third.certificate);
    server = await TlsServer.start(
      {
        address: gateway,
        certificateFile: write('third.crt', certificate),
        privateKeyFile: write('third.key', privateKey),
      },
      ({ method = '' }, response) => {
        requests.push(method);
        response.writeHead(403).end();
      },
    );
  });

  afterAll(async () => {
    await server.stop();
  });

  /** MinIO asks a server at once when it is to become a tier. */
  const makeTier = async (): Promise<string> => {
    const args = ['--endpoint', server.url, '--access-key', 'a', '--secret-key', 'b', '--bucket', 'tier'];
    return mc(environment, ['ilm', 'tier', 'add', 'minio', 'e2e', 'TIER', ...args]).catch(String);
  };

  test('MinIO does not talk to a server of a CA that nobody named', async () => {
    expect(await makeTier()).toContain('certificate signed by unknown authority');
    expect(requests).toEqual([]);
  });

  const settings = () => ({
    minio: { hostnames: [HOST, OTHER_HOST] },
    trustedCAs: [at('third-party.crt')],
    tls: {
      mode: 'files' as const,
      certificate: at('s3.crt'),
      privateKey: at('s3.key'),
      ca: at('root.crt'),
      additional: [{ certificate: at('other.crt'), privateKey: at('other.key') }],
    },
  });
  const issue = async (name: string, hosts: readonly string[], notAfter?: Date): Promise<void> => {
    const issued = await middle.issue({ names: hosts, ...(notAfter === undefined ? {} : { notAfter }) });
    write(`${name}.crt`, issued.certificate + middle.certificate);
    write(`${name}.key`, issued.privateKey);
  };

  test('what cannot be used is refused with every reason, and no container is touched', async () => {
    await issue('s3', [HOST], new Date(Date.now() + 30 * 60_000));
    await issue('other', ['another.e2e.test']);
    environment.write(settings());
    const lives = await Promise.all(['vault', 'kes', 'minio'].map((name) => environment.lifeOf(name)));
    const up = await environment.script('up');
    expect(up.code).toBe(64);
    expect(up.stderr).toContain(
      `tls.certificate (${at('s3.crt')}): must be valid for an hour more, so that it does not expire during the deploy`,
    );
    expect(up.stderr).toContain(`must cover ${OTHER_HOST}, by which clients reach the S3 API`);
    const plain = await deploy();
    expect(plain.code).not.toBe(0);
    expect(plain.stdout + plain.stderr).toContain('must be valid for an hour more');
    expect(await Promise.all(['vault', 'kes', 'minio'].map((name) => environment.lifeOf(name)))).toEqual(lives);
  });

  test('each name is shown its own certificate with the whole chain, an address the default one', async () => {
    await issue('s3', [HOST, '127.0.0.1']);
    await issue('other', [OTHER_HOST]);
    mustSucceed(await environment.script('up'));
    // a client that trusts the root alone verifies each of them
    expect((await served(HOST)).names).toBe(`DNS:${HOST}, IP Address:127.0.0.1`);
    expect((await served(OTHER_HOST)).names).toBe(`DNS:${OTHER_HOST}`);
    expect((await served()).names).toBe(`DNS:${HOST}, IP Address:127.0.0.1`);
    // and the inside goes on with the private CA
    expect((await servedCertificate(port(), environment.state.caCertificate, 'minio')).names).toBe('DNS:minio');
    await objectIsReadable();
  });

  test('MinIO talks to it when the CA is named, and KES gets it, too', async () => {
    await makeTier();
    expect(requests.length).toBeGreaterThan(0);
    const { Config } = await environment.docker.getContainer(environment.containerName('kes')).inspect();
    expect(Config.Env).toContain('SSL_CERT_DIR=/etc/ssl/certs:/etc/pki/tls/certs:/files/trusted');
  });

  test('a deploy after that would change nothing', async () => {
    await environment.expectNothingToDeploy();
  });

  test('renewal drops no request, and new connections see each new certificate within 30 seconds', async () => {
    // GIVEN a stream of requests: over kept connections, and over a new one for each request
    const endpoint = s3Endpoint(environment.loaded.environment, environment.state);
    const { region } = environment.loaded.environment.minio;
    const client = (keepAlive: boolean) =>
      s3Client({ endpoint, region, credentials: environment.credentials, attempts: 1, keepAlive });
    const clients = [client(true), client(true), client(false), client(false)];
    const lives = await Promise.all(['vault', 'kes', 'minio'].map((name) => environment.lifeOf(name)));
    const before = await Promise.all([served(HOST), served(OTHER_HOST)]);
    await issue('s3', [HOST, '127.0.0.1']);
    await issue('other', [OTHER_HOST]);
    const load = startLoad(clients, OBJECT.Bucket);

    // WHEN
    const since = performance.now();
    mustSucceed(await deployCertificates());
    measured('deploy of renewed certificates under load', (performance.now() - since) / 1000);

    // THEN
    await waitFor({ what: 'the new certificates to be served', timeoutMs: 30_000 }, async () => {
      const now = await Promise.all([served(HOST), served(OTHER_HOST)]);
      const old = now.filter(({ fingerprint }, index) => fingerprint === before[index]?.fingerprint);
      return old.length === 0 ? true : new NotYet(`still the old one of ${old.map(({ names }) => names).join()}`);
    });
    const { puts, gets, failures } = await load.stop();
    for (const one of clients) one.destroy();
    process.stderr.write(`    ${puts} PUTs and ${gets} GETs during the renewal\n`);
    expect(failures).toEqual([]);
    expect(Math.min(puts, gets)).toBeGreaterThan(50);
    expect(await Promise.all(['vault', 'kes', 'minio'].map((name) => environment.lifeOf(name)))).toEqual(lives);
  });
});

describe('acme', () => {
  let pebble: Pebble;

  beforeAll(async () => {
    pebble = await startPebble(environment.folder);
    write('pebble-root.crt', (await pebble.issuers()).root);
  });

  afterAll(async () => {
    await pebble.stop();
  });

  const settings = (changes: { directory?: string; port?: number } = {}) => ({
    minio: { hostnames: [HOST] },
    trustedCAs: [at('third-party.crt')],
    tls: {
      mode: 'acme' as const,
      directory: changes.directory ?? pebble.directory,
      directoryCaFile: pebble.directoryCaFile,
      email: 'operations@e2e.test',
      termsOfServiceAgreed: true as const,
      domains: [HOST],
      additional: [{ domains: [OTHER_HOST] }],
      challenge: { type: 'http-01' as const, address: '127.0.0.1', port: changes.port ?? pebble.httpPort },
      ca: at('pebble-root.crt'),
    },
  });
  const programs = ['vault', 'kes', 'minio'];
  const shown = async (host: string) => servedCertificate(port(), at('pebble-root.crt'), host);

  test('a directory that is down, a refused challenge and a rate limit are named, and no container is touched', async () => {
    const lives = await Promise.all(programs.map((name) => environment.lifeOf(name)));
    environment.write(settings({ directory: 'https://127.0.0.1:1/directory' }));
    const up = await environment.script('up');
    expect(up.code).toBe(1);
    expect(up.stderr).toContain('the ACME directory https://127.0.0.1:1/directory does not answer');

    const [elsewhere = 0] = await testPorts(1);
    environment.write(settings({ port: elsewhere }));
    const refused = await deploy();
    expect(refused.stdout + refused.stderr).toContain(`did not accept the http-01 challenge for ${HOST}`);

    environment.write(settings());
    pebble.behaviour = 'rate limit';
    const limited = await deploy();
    pebble.behaviour = 'as Pebble';
    expect(limited.stdout + limited.stderr).toContain('because of a rate limit: too many certificates already');
    expect(limited.stdout + limited.stderr).toMatch(/try again after 20\d\d-/);
    expect(await Promise.all(programs.map((name) => environment.lifeOf(name)))).toEqual(lives);
  });

  test('a deploy orders a certificate for each group of names, and clients verify them', async () => {
    environment.write(settings());
    mustSucceed(await environment.script('up'));
    expect((await shown(HOST)).names).toBe(`DNS:${HOST}`);
    expect((await shown(OTHER_HOST)).names).toBe(`DNS:${OTHER_HOST}`);
    await objectIsReadable();
  });

  test('a certificate of which two thirds of the life are over is renewed by the next deploy, without a restart', async () => {
    // GIVEN one that Pebble would have issued 60 of its 89 days ago
    const { intermediate } = await pebble.issuers();
    const day = 24 * 60 * 60 * 1000;
    const old = await intermediate.issue({
      names: [HOST],
      notBefore: new Date(Date.now() - 60 * day),
      notAfter: new Date(Date.now() + 29 * day),
    });
    const [files] = s3CertificateFiles(environment.loaded.environment, environment.state);
    if (files === undefined) throw new Error('there is a certificate from elsewhere');
    writeFileSync(files.certificate, old.certificate + intermediate.certificate);
    writeFileSync(files.privateKey, old.privateKey, { mode: 0o600 });
    const note = path.join(environment.state.tls, 's3-renewal.json');
    writeFileSync(note, JSON.stringify({ generation: 1, renewAfter: new Date(Date.now() - day).toISOString() }));
    const before = await shown(OTHER_HOST);
    const lives = await Promise.all(programs.map((name) => environment.lifeOf(name)));

    // WHEN
    mustSucceed(await deployCertificates());

    // THEN it is new, and the other one, which was not due, is not
    const renewed = new X509Certificate(readFileSync(files.certificate, 'utf8'));
    expect(renewed.fingerprint256).not.toBe(new X509Certificate(old.certificate).fingerprint256);
    expect((await shown(HOST)).fingerprint).toBe(renewed.fingerprint256);
    expect(await shown(OTHER_HOST)).toEqual(before);
    expect(await Promise.all(programs.map((name) => environment.lifeOf(name)))).toEqual(lives);
    expect(JSON.parse(readFileSync(note, 'utf8'))).toMatchObject({ generation: 2 });
    await objectIsReadable();
  });
});
