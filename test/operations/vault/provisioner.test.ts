/** Whether a deploy has to make the provisioner token of an embedded Vault anew, found out before it. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ExternalError } from '../../../operations/lib/errors';
import { type ProvisionerRequest, requireProvisioner } from '../../../operations/vault/provisioner';
import { isDue, noteRenewal } from '../../../operations/certificates/renewal';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';

const folder = useTemporaryFolder();
let server: TlsServer;
let request: ProvisionerRequest;
/** What Vault answers: the state of its health, and to the reading of the policy. */
let health: number;
let answer: { status: number; body: object };

const DECLARED = { status: 200, body: { data: { policy: 'declared' } } };
const OF_EARLIER = { status: 200, body: { data: { policy: 'of an earlier version' } } };
const REFUSED = { status: 403, body: { errors: ['permission denied'] } };

beforeEach(async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  server = await TlsServer.start(await ca.issue('vault'), ({ url }, response) => {
    const { status, body } = url === '/v1/sys/health' ? { status: health, body: {} } : answer;
    response.writeHead(status).end(JSON.stringify(body));
  });
  const file = (name: string, content: string): string => {
    writeFileSync(path.join(folder(), name), content);
    return path.join(folder(), name);
  };
  request = {
    endpoint: { url: server.url, caFile: ca.file },
    threshold: 2,
    unsealShareFiles: [1, 2, 3].map((number) => file(`unseal-share-${number}`, 'share')),
    provisionerTokenFile: file('provisioner-token', 'token'),
    provisionerPolicy: { name: 'ebs-local-provisioner', document: 'declared' },
    renewalNote: path.join(folder(), 'provisioner-token.json'),
  };
  noteRenewal(request.renewalNote, new Date(Date.now() + 3_600_000));
  health = 200;
  answer = DECLARED;
});
afterEach(() => server.stop());

const note = (): string => readFileSync(request.renewalNote, 'utf8');

test('a token that is as declared stays', async () => {
  await expect(requireProvisioner(request)).resolves.toBeUndefined();
  expect(isDue(request.renewalNote)).toBe(false);
});

describe.each([
  ['the policy ebs-local-provisioner in Vault is not the one that is declared now', OF_EARLIER],
  ['Vault does not accept the provisioner token', REFUSED],
])('%s', (problem, said) => {
  beforeEach(() => {
    answer = said;
  });

  test('the initialisation is due where there are enough shares, and counts as the plan expects', async () => {
    rmSync(request.unsealShareFiles[1] ?? '');
    await expect(requireProvisioner(request)).resolves.toBe(problem);
    expect(isDue(request.renewalNote)).toBe(true);
    expect(JSON.parse(note())).toMatchObject({ generation: 1 });
  });

  test('too few shares are named, and nothing is touched', async () => {
    const before = note();
    for (const file of request.unsealShareFiles.slice(1)) rmSync(file);
    const error = await rejectionOf(requireProvisioner(request));
    expect(error).toBeInstanceOf(ExternalError);
    expect(error).toMatchObject({
      message: `${problem}, and 1 of the 2 unseal shares that a new token needs are in ${folder()}`,
      hint: 'put 2 of them back (unseal-share-1, unseal-share-2, unseal-share-3), run this again, and take them away afterwards; nothing was changed',
    });
    expect(note()).toBe(before);
  });
});

test.each([
  ['is sealed', 503],
  ['is not initialised', 501],
  ['is not active yet', 429],
])('a Vault that %s is left to the deploy', async (_, status) => {
  health = status;
  answer = REFUSED;
  await expect(requireProvisioner(request)).resolves.toBeUndefined();
});

test('so is one that is away, and one that never had a token', async () => {
  answer = OF_EARLIER;
  await server.stop();
  await expect(requireProvisioner(request)).resolves.toBeUndefined();
  rmSync(request.provisionerTokenFile);
  await expect(requireProvisioner({ ...request, endpoint: { url: 'https://127.0.0.1:1' } })).resolves.toBeUndefined();
});
