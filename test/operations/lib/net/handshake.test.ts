import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { handshake } from '../../../../operations/lib/net/handshake';
import { ThrowawayCa } from '../../../helpers/certificates';
import { rejectionOf } from '../../../helpers/thrown';
import { TlsServer } from '../../../helpers/servers/tls-server';

let folder: string;
let ca: ThrowawayCa;
let otherCa: ThrowawayCa;
let server: TlsServer;
let certificateFile: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'ebs-handshake-'));
  ca = await ThrowawayCa.create(folder, 'ca');
  otherCa = await ThrowawayCa.create(folder, 'other-ca');
  const files = await ca.issue('server');
  ({ certificateFile } = files);
  server = await TlsServer.start(files, (_, response) => response.end());
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

test('a certificate that the CA issued for the address is served', async () => {
  const shaken = await handshake({ url: server.url, caFile: ca.file });
  const served = 'served' in shaken ? shaken.served : undefined;
  expect(served?.certificate.fingerprint256).toBe(new X509Certificate(readFileSync(certificateFile)).fingerprint256);
  expect(served?.protocol).toBe('TLSv1.3');
});

test.each([
  ['through another CA', () => ({ caFile: otherCa.file }), /^(?:UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER)/],
  [
    'under another name',
    () => ({ caFile: ca.file, serverName: 'other.example.com' }),
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
  ],
])('it is refused %s, whatever the environment says', async (_, trust, code) => {
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  try {
    const shaken = await handshake({ url: server.url, ...trust() });
    expect('refusal' in shaken ? shaken.refusal : 'served').toMatch(code);
  } finally {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
  }
});

test('a server that hangs up refuses; where nobody listens, the network is the reason', async () => {
  const hangsUp = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
  await new Promise<void>((resolve) => hangsUp.listen(0, '127.0.0.1', resolve));
  const { port } = hangsUp.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}`;
  expect(await handshake({ url })).toEqual({ refusal: 'ECONNRESET' });
  await new Promise((resolve) => hangsUp.close(resolve));
  expect(await rejectionOf(handshake({ url }))).toMatchObject({ code: 'ECONNREFUSED' });
});
