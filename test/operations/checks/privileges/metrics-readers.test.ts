/** What the check of the readers of metrics says of servers that we are. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { tryScrapes } from '../../../../operations/checks/privileges/metrics-readers';
import type { ScrapeJob } from '../../../../operations/monitoring/targets';
import { ThrowawayCa } from '../../../helpers/certificates';
import { TlsServer } from '../../../helpers/servers/tls-server';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const WHAT = 'GET /v1/sys/metrics?format=prometheus of';
/** By what a Vault is, what it answers with a token and without. */
const VAULTS = {
  active: { withToken: 200, without: 403 },
  standby: { withToken: 307, without: 307 },
  sealed: { withToken: 503, without: 503 },
  open: { withToken: 200, without: 200 },
} as const;
type Kind = keyof typeof VAULTS;

let servers: TlsServer[] = [];
afterEach(async () => {
  await Promise.all(servers.map(async (server) => server.stop()));
  servers = [];
});

/** The job of Vaults on hosts a, b …, which demand a certificate unless it is said that they do not. */
async function jobOf(kinds: readonly Kind[], { demands = true } = {}): Promise<ScrapeJob> {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const clients = await ThrowawayCa.create(folder(), 'clients');
  const served = await ca.issue('server', '127.0.0.1', ['vault']);
  const client = await clients.issue('monitoring');
  const token = path.join(folder(), 'token');
  writeFileSync(token, 'the-token\n');
  for (const kind of kinds) {
    servers.push(
      await TlsServer.start({ ...served, ...(demands ? { clientCaFile: clients.file } : {}) }, (request, response) => {
        const { withToken, without } = VAULTS[kind];
        response.writeHead(request.headers.authorization === 'Bearer the-token' ? withToken : without).end();
      }),
    );
  }
  return {
    job_name: 'ebs-test-vault',
    scheme: 'https',
    metrics_path: '/v1/sys/metrics',
    params: { format: ['prometheus'] },
    follow_redirects: false,
    authorization: { type: 'Bearer', credentials_file: token },
    tls_config: {
      ca_file: ca.file,
      server_name: 'vault',
      cert_file: client.certificateFile,
      key_file: client.privateKeyFile,
    },
    static_configs: servers.map(({ url }, index) => ({
      targets: [new URL(url).host],
      labels: { node: ['a', 'b', 'c'][index] ?? '' },
    })),
  };
}

test('with token and certificate the active Vault gives metrics, with one of them alone it gives none', async () => {
  const { problems, evidence } = await tryScrapes([await jobOf(['standby', 'active', 'standby'])]);
  expect(problems).toEqual([]);
  expect(evidence).toEqual({
    read: { [`${WHAT} a`]: 307, [`${WHAT} b`]: 200, [`${WHAT} c`]: 307 },
    anonymous: { [`${WHAT} a`]: 307, [`${WHAT} b`]: 403, [`${WHAT} c`]: 307 },
    strangers: Object.fromEntries(
      ['a', 'b', 'c'].map((node) => [`${WHAT} ${node}`, expect.stringMatching(/_ALERT_|ECONNRESET|EPIPE/) as string]),
    ),
  });
});

test.each<[string, readonly Kind[], { demands: boolean }, readonly string[]]>([
  [
    'gives metrics without a token',
    ['open', 'standby'],
    { demands: true },
    [`${WHAT} a without a token is answered with HTTP 200, not refused`],
  ],
  [
    'demands no certificate',
    ['active', 'standby'],
    { demands: false },
    [
      `${WHAT} a without a certificate is answered with HTTP 200, not refused`,
      `${WHAT} b without a certificate is answered with HTTP 307, not refused`,
    ],
  ],
  [
    'is sealed',
    ['active', 'sealed'],
    { demands: true },
    [`${WHAT} b is answered with HTTP 503`, `${WHAT} b without a token is answered with HTTP 503, not refused`],
  ],
  [
    'is active nowhere',
    ['standby', 'standby'],
    { demands: true },
    ['no target of ebs-test-vault gives metrics: each leads to another'],
  ],
  [
    'is the only one, and redirects',
    ['standby'],
    { demands: true },
    [`${WHAT} a is answered with HTTP 307`, `${WHAT} a without a token is answered with HTTP 307, not refused`],
  ],
])('a Vault that %s is a problem', async (_, kinds, more, expected) => {
  expect((await tryScrapes([await jobOf(kinds, more)])).problems).toEqual(expected);
});

test('a Vault that is away is no refusal: nothing is known of it', async () => {
  const job = await jobOf(['active']);
  await servers.pop()?.stop();
  await expect(tryScrapes([job])).rejects.toThrow(/ECONNREFUSED/);
});
