/** What is asked of an ACME authority, and what its refusals become: against Pebble, without a deployment. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { OperationInput } from '../../config/operation-inputs';
import { orderCertificates, requireDirectoryIfDue } from '../../operations/certificates/order-certificates';
import { namesOf, nameOf } from '../../operations/certificates/server-certificate';
import { type Pebble, startPebble } from '../helpers/e2e/servers/pebble';
import { rejectionOf } from '../helpers/thrown';
import { testPorts } from '../helpers/e2e/test-ports';

const DAY_MS = 24 * 60 * 60 * 1000;
const HOST = 's3.e2e.test';

let folder: string;
let pebble: Pebble;
let rootFile: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'ebs-acme-'));
  pebble = await startPebble(folder);
  rootFile = path.join(folder, 'root.crt');
  writeFileSync(rootFile, (await pebble.issuers()).root);
});

afterAll(async () => {
  await pebble.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  pebble.behaviour = 'as Pebble';
});

/** A state folder of its own, so that nothing is there yet. */
function orderOf(
  groups: readonly (readonly string[])[],
  changes: Partial<OperationInput<'order-certificates'>> = {},
): OperationInput<'order-certificates'> {
  const state = mkdtempSync(path.join(folder, 'state-'));
  const file = (name: string): string => path.join(state, name);
  return {
    directory: pebble.directory,
    directoryCaFile: pebble.directoryCaFile,
    email: 'operations@e2e.test',
    accountKeyFile: file('account.key'),
    challenge: { type: 'http-01', address: '127.0.0.1', port: pebble.httpPort },
    certificates: groups.map((domains, index) => ({
      domains: [...domains],
      to: { certificate: file(`${index}.crt`), privateKey: file(`${index}.key`) },
    })),
    ledgerFile: file('acme.json'),
    names: [],
    ca: rootFile,
    trustedCAs: [],
    renewalNote: file('renewal.json'),
    ...changes,
  };
}

const leafOf = ({ certificates }: OperationInput<'order-certificates'>, index = 0): X509Certificate =>
  new X509Certificate(readFileSync(certificates[index]?.to.certificate ?? '', 'utf8'));

/** A DNS provider's command line in the hands of a hook: the DNS server of Pebble takes orders by HTTP. */
function dnsHook(): string {
  const file = path.join(folder, 'hook.mjs');
  const script = `#!/usr/bin/env node
const [, , action, host, value] = process.argv;
const path = action === 'present' ? 'set-txt' : 'clear-txt';
const response = await fetch('${pebble.dnsUrl}/' + path, { method: 'POST', body: JSON.stringify({ host, value }) });
if (!response.ok) process.exit(1);
`;
  writeFileSync(file, script, { mode: 0o755 });
  return file;
}

describe('an order', () => {
  test('by http-01 brings a chain that clients verify, and a second one asks for nothing', async () => {
    const input = orderOf([[HOST, 'more.e2e.test'], ['backup.e2e.test']]);
    await orderCertificates(input);
    expect(namesOf(leafOf(input)).sort()).toEqual(['more.e2e.test', HOST]);
    expect(namesOf(leafOf(input, 1))).toEqual(['backup.e2e.test']);
    const [first, second] = [leafOf(input).fingerprint256, leafOf(input, 1).fingerprint256];
    // an authority that would refuse is not even asked
    pebble.behaviour = 'rate limit';
    expect(await requireDirectoryIfDue(input)).toBe(false);
    await orderCertificates(input);
    expect([leafOf(input).fingerprint256, leafOf(input, 1).fingerprint256]).toEqual([first, second]);
  });

  test('by dns-01 brings a wildcard and its parent in one certificate', async () => {
    const input = orderOf([['*.s3.e2e.test', HOST]], { challenge: { type: 'dns-01', hook: dnsHook() } });
    await orderCertificates(input);
    expect(namesOf(leafOf(input)).sort()).toEqual(['*.s3.e2e.test', HOST]);
  });

  test('is made anew when the names change, with the same account', async () => {
    const input = orderOf([[HOST]]);
    await orderCertificates(input);
    const account = readFileSync(input.accountKeyFile, 'utf8');
    const changed = { ...input, certificates: input.certificates.map(({ to }) => ({ to, domains: ['new.e2e.test'] })) };
    await orderCertificates(changed);
    expect(namesOf(leafOf(changed))).toEqual(['new.e2e.test']);
    expect(readFileSync(input.accountKeyFile, 'utf8')).toBe(account);
  });

  test('is repeated when a third of the life is left, and not a day before', async () => {
    const input = orderOf([[HOST]]);
    await orderCertificates(input);
    const { fingerprint256, validFrom, validTo } = leafOf(input);
    const due = Date.parse(validTo) - (Date.parse(validTo) - Date.parse(validFrom)) / 3;
    await orderCertificates(input, new Date(due - DAY_MS));
    expect(leafOf(input).fingerprint256).toBe(fingerprint256);
    await orderCertificates(input, new Date(due));
    expect(leafOf(input).fingerprint256).not.toBe(fingerprint256);
    const note = JSON.parse(readFileSync(input.renewalNote, 'utf8')) as { generation: number };
    expect(note.generation).toBe(2);
  });
});

describe('what goes wrong is named', () => {
  test('a directory that is down', async () => {
    const input = orderOf([[HOST]], { directory: 'https://127.0.0.1:1/dir' });
    for (const attempt of [orderCertificates, requireDirectoryIfDue]) {
      expect((await rejectionOf(attempt(input))).message).toBe(
        'the ACME directory https://127.0.0.1:1/dir does not answer: 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1',
      );
    }
  });

  test('a directory with a certificate that nobody trusts', async () => {
    const { directoryCaFile: _, ...input } = orderOf([[HOST]]);
    const refusal = await rejectionOf(orderCertificates(input));
    expect(refusal).toMatchObject({
      message: `the ACME directory ${pebble.directory} does not answer: ${new URL(pebble.directory).host}: unable to verify the first certificate`,
      hint: expect.stringContaining('for a directory of a private CA set tls.directoryCaFile') as unknown,
    });
  });

  test('a challenge that the authority refuses, with its own words', async () => {
    // it looks at another port than the one that answers
    const [port = 0] = await testPorts(1);
    const challenge = { type: 'http-01' as const, address: '127.0.0.1', port };
    const refusal = await rejectionOf(orderCertificates(orderOf([['refused.e2e.test']], { challenge })));
    expect(refusal.message).toMatch(
      /^the ACME authority 127\.0\.0\.1:\d+ did not accept the http-01 challenge for refused\.e2e\.test: .*connection refused.* \(urn:ietf:params:acme:error:connection\)$/,
    );
  });

  test('a domain for which it issues nothing', async () => {
    const refusal = await rejectionOf(orderCertificates(orderOf([['blocked.e2e.test']])));
    expect(refusal.message).toMatch(
      /does not take an order for blocked\.e2e\.test: .+ \(urn:ietf:params:acme:error:rejectedIdentifier, HTTP 40\d\)$/,
    );
  });

  test('a rate limit, when to try again, and what stays in use meanwhile', async () => {
    const input = orderOf([[HOST]]);
    await orderCertificates(input);
    const { fingerprint256, validTo } = leafOf(input);
    pebble.behaviour = 'rate limit';
    const due = new Date(Date.parse(validTo) - 7 * DAY_MS);
    const refusal = await rejectionOf(orderCertificates(input, due));
    expect(refusal.message).toMatch(
      /does not take an order for s3\.e2e\.test, because of a rate limit: too many certificates already$/,
    );
    const { hint = '' } = refusal as { hint?: string };
    expect(hint).toMatch(/^try again after 20\d\d-\d\d-\d\dT[\d:.]+Z; the staging directory/);
    expect(hint).toContain(
      `nothing was changed; the certificate in use is good until ${new Date(validTo).toISOString()}`,
    );
    expect(leafOf(input).fingerprint256).toBe(fingerprint256);
  });

  test('a certificate that clients would not trust, which is not ordered again to find out', async () => {
    const { ca: _, ...input } = orderOf([[HOST]]);
    const refusal = await rejectionOf(orderCertificates(input));
    expect(refusal.message).toContain('must lead to a publicly trusted root, got: an end at CN=Pebble Intermediate CA');
    pebble.behaviour = 'rate limit';
    expect((await rejectionOf(orderCertificates(input))).message).toBe(refusal.message);
    await orderCertificates({ ...input, ca: rootFile });
    expect(nameOf(leafOf(input))).toBe('without a name');
  });
});

describe('an authority that binds accounts to its customers', () => {
  const KEY_ID = 'customer-1';
  const HMAC_KEY = Buffer.from('a key for tests, of some length and no secret').toString('base64url');
  let other: Pebble;
  let changes: Partial<OperationInput<'order-certificates'>>;
  const eabWith = (name: string, key: string) => {
    const hmacKeyFile = path.join(folder, name);
    writeFileSync(hmacKeyFile, `${key}\n`);
    return { keyId: KEY_ID, hmacKeyFile };
  };

  beforeAll(async () => {
    const its = mkdtempSync(path.join(folder, 'binding-'));
    const externalAccountMACKeys = { [KEY_ID]: HMAC_KEY };
    other = await startPebble(its, { externalAccountBindingRequired: true, externalAccountMACKeys });
    const ca = path.join(its, 'root.crt');
    writeFileSync(ca, (await other.issuers()).root);
    changes = {
      directory: other.directory,
      directoryCaFile: other.directoryCaFile,
      challenge: { type: 'http-01', address: '127.0.0.1', port: other.httpPort },
      ca,
    };
  });

  afterAll(() => other.stop());

  test('refuses an account without a binding, and the hint says what is missing', async () => {
    expect(await rejectionOf(orderCertificates(orderOf([[HOST]], changes)))).toMatchObject({
      message: expect.stringMatching(
        /does not accept the account: .+ \(urn:ietf:params:acme:error:externalAccountRequired, HTTP 40\d\)$/,
      ) as unknown,
      hint: expect.stringContaining('name it in tls.eab') as unknown,
    });
  });

  test('refuses one by another key', async () => {
    const eab = eabWith('wrong.key', Buffer.from('another key of some length and no secret').toString('base64url'));
    const refusal = await rejectionOf(orderCertificates(orderOf([[HOST]], { ...changes, eab })));
    expect(refusal.message).toMatch(/does not accept the account: /);
  });

  test('issues with it, and knows the account again without it', async () => {
    // GIVEN
    const input = orderOf([[HOST], ['backup.e2e.test']], { ...changes, eab: eabWith('right.key', HMAC_KEY) });
    // WHEN
    await orderCertificates(input);
    // THEN
    expect([namesOf(leafOf(input)), namesOf(leafOf(input, 1))]).toEqual([[HOST], ['backup.e2e.test']]);
    const { eab: _, ...without } = input;
    const renamed = (name: string) => input.certificates.map(({ to }) => ({ to, domains: [name] })).slice(0, 1);
    await orderCertificates({ ...without, certificates: renamed('new.e2e.test') });
    expect(namesOf(leafOf(input))).toEqual(['new.e2e.test']);
  });
});
