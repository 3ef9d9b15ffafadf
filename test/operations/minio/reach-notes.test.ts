import { parseEnvironment } from '../../../config/load';
import { reachNotes } from '../../../operations/minio/reach-notes';

const FILES = 'tls: { mode: files, certificate: /a.crt, privateKey: /a.key }';
const NAMED = 'minio: { hostnames: [s3.example.org] }';

function notes(settings: string, known: readonly string[] = []): Promise<string[]> {
  const environment = parseEnvironment(`name: x\n${settings}`, 'test.yaml');
  return reachNotes(environment, (name) => Promise.resolve(known.includes(name)));
}

test.each([
  ['', []],
  ['docker: { publishAddress: 0.0.0.0 }', []],
  [NAMED, ['s3.example.org']],
  ['vault: { mode: external, address: "https://v.example:8200" }', []],
  ['vault: { mode: embedded, publishAddress: "::1" }', []],
])('nothing is to be said about %s, with %j known', async (settings, known) => {
  await expect(notes(settings, known)).resolves.toEqual([]);
});

test.each([
  [
    NAMED,
    'this machine does not resolve s3.example.org: add it to DNS, or the line "127.0.0.1 s3.example.org" to /etc/hosts, or use https://127.0.0.1:9000',
  ],
  [
    `${NAMED}\ndocker: { publishAddress: "2001:db8::7" }`,
    'this machine does not resolve s3.example.org: add it to DNS, or the line "2001:db8::7 s3.example.org" to /etc/hosts, or use https://[2001:db8::7]:9000',
  ],
  [
    `${NAMED}\n${FILES}`,
    'this machine does not resolve s3.example.org: add it to DNS, or the line "127.0.0.1 s3.example.org" to /etc/hosts',
  ],
  [
    'vault: { mode: embedded, publishAddress: 192.0.2.7, port: 18200 }',
    'Vault is published on 192.0.2.7: whoever reaches port 18200 can cancel a rekeying without a token (CVE-2026-5807). Have the firewall admit the machines that deploy, and no other',
  ],
])('%s', async (settings, note) => {
  await expect(notes(settings)).resolves.toEqual([note]);
});

test('the resolver of this machine is asked: it knows localhost, and nothing below .invalid', async () => {
  const named = (name: string) => parseEnvironment(`name: x\nminio: { hostnames: [${name}] }`, 'test.yaml');
  await expect(reachNotes(named('localhost'))).resolves.toEqual([]);
  await expect(reachNotes(named('s3.invalid'))).resolves.toEqual([
    expect.stringMatching('this machine does not resolve s3.invalid'),
  ]);
});
