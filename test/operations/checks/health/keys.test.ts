import { createHash, randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { writeCanaries } from '../../../../operations/state/notes/canaries';
import type { CheckContext } from '../../../../operations/checks/check';
import { keyChecks } from '../../../../operations/checks/health/keys';
import type { CheckResult } from '../../../../operations/checks/runner';
import { HttpClient } from '../../../../operations/lib/net/http';
import { type KesClient, KesError } from '../../../../operations/kes/kes-client';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { contextWith, type FakeDeployment, fakeDeployment, loaded, resultOf } from '../fakes';

const folder = useTemporaryFolder();

async function run(id: string, context: CheckContext): Promise<CheckResult> {
  return resultOf(keyChecks, id, context);
}

describe('key-continuity', () => {
  const dataKeys: Readonly<Record<string, Buffer>> = {
    'backup-default': randomBytes(32),
    'archive-key': randomBytes(32),
  };

  function contextWithKeys(decrypt: (key: string) => Buffer | 'missing' | 'other', recorded = Object.keys(dataKeys)) {
    const environment = loaded(
      folder(),
      'name: test\nbuckets: [{ name: archive, encryption: { type: sse-kms, key: archive-key } }]',
    );
    writeCanaries(
      environment.state.canaries,
      Object.fromEntries(
        recorded.map((key) => [
          key,
          {
            bornAt: '2026-01-01T00:00:00.000Z',
            origin: 'created' as const,
            ciphertext: 'sealed',
            plaintextSha256: createHash('sha256')
              .update(dataKeys[key] ?? '')
              .digest('hex'),
          },
        ]),
      ),
    );
    const kes = { decrypt: async (key: string) => Promise.resolve(decrypt(key)) } as unknown as KesClient;
    return { ...contextWith(environment, () => undefined), kes };
  }

  const opens = (key: string): Buffer => dataKeys[key] ?? Buffer.alloc(0);

  test('passes when every canary opens, and shows neither data key nor its hash', async () => {
    const result = await run('key-continuity', contextWithKeys(opens));
    expect(result.evidence).toEqual({
      keys: Object.fromEntries(
        Object.keys(dataKeys).map((key) => [
          key,
          { verdict: 'opens', bornAt: '2026-01-01T00:00:00.000Z', origin: 'created' },
        ]),
      ),
    });
  });

  test.each([
    ['is missing', () => 'missing' as const, /^archive-key: is not in the key store/],
    ['does not fit', () => 'other' as const, /^archive-key: is another key than the one that sealed its canary/],
    [
      'opens something else',
      () => randomBytes(32),
      /^archive-key: cannot be proven: its canary in keys.json is damaged/,
    ],
  ])('fails when a key %s', async (_, decrypt, message) => {
    const result = await run(
      'key-continuity',
      contextWithKeys((key) => (key === 'archive-key' ? decrypt() : opens(key))),
    );
    expect(result.status).toBe('failed');
    expect(result.message).toMatch(message);
  });

  test('fails when a key is lost that the environment file no longer names', async () => {
    const recorded = [...Object.keys(dataKeys), 'retired-key'];
    const result = await run(
      'key-continuity',
      contextWithKeys((key) => (key === 'retired-key' ? 'missing' : opens(key)), recorded),
    );
    expect(result.status).toBe('failed');
    expect(result.message).toMatch(/^retired-key: is not in the key store/);
  });

  test.each([
    [502, 'failed to read key'],
    [403, 'not authorized: insufficient permissions'],
  ])('fails when KES refuses with %i, and says what KES says', async (status, text) => {
    const answer = { status, headers: {}, bytes: Buffer.alloc(0), text: JSON.stringify({ message: text }) };
    const refused = new KesError('open a data key under archive-key', answer);
    const result = await run(
      'key-continuity',
      contextWithKeys((key) => {
        if (key === 'archive-key') throw refused;
        return opens(key);
      }),
    );
    expect(result).toMatchObject({
      status: 'failed',
      message: `archive-key: does not open its canary: KES: open a data key under archive-key: ${text} (HTTP ${status})`,
    });
  });

  test('cannot say anything when KES does not answer', async () => {
    const result = await run(
      'key-continuity',
      contextWithKeys(() => {
        throw new Error('connect ECONNREFUSED');
      }),
    );
    expect(result).toMatchObject({ status: 'could-not-check', message: 'connect ECONNREFUSED' });
  });

  test('fails when a key has no canary', async () => {
    const result = await run('key-continuity', contextWithKeys(opens, ['backup-default']));
    expect(result.message).toMatch(/^archive-key: has no canary in keys\.json/);
  });
});

describe('kms-ready', () => {
  let deployment: FakeDeployment;
  afterEach(async () => deployment.close());

  async function result(handler: RequestListener, ready: () => boolean = () => true): Promise<CheckResult | undefined> {
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    deployment = await fakeDeployment(folder(), handler);
    jest.restoreAllMocks();
    const minio = new HttpClient({
      url: `https://127.0.0.1:${deployment.port}`,
      caFile: deployment.loaded.state.caCertificate,
    });
    const kes = { ready: async () => Promise.resolve().then(ready) } as unknown as KesClient;
    try {
      return await run('kms-ready', { ...contextWith(deployment.loaded, () => undefined), minio, kes });
    } finally {
      minio.close();
    }
  }

  test('passes when KES and both health pages say so', async () => {
    expect(await result((_, response) => response.end())).toMatchObject({ status: 'passed' });
  });

  test.each<[string, RequestListener, string]>([
    [
      'gets no data key',
      (request, response) => response.writeHead(request.url?.endsWith('/ready') ? 500 : 200).end(),
      'MinIO says it is not ready: /minio/health/ready answered 500',
    ],
    [
      'has not loaded IAM',
      (request, response) => response.writeHead(request.url?.endsWith('/cluster') ? 503 : 200).end(),
      'MinIO says it is not ready: /minio/health/cluster answered 503',
    ],
    [
      'is starting',
      (_, response) => response.writeHead(200, { 'x-minio-server-status': 'offline' }).end(),
      'MinIO says it is not ready: /minio/health/ready answered 200',
    ],
  ])('fails when MinIO %s', async (_, handler, message) => {
    expect(await result(handler)).toMatchObject({ status: 'failed', message });
  });

  test('fails when KES does not reach its key store', async () => {
    const cutOff = await result(
      (_, response) => response.end(),
      () => false,
    );
    expect(cutOff).toMatchObject({
      status: 'failed',
      message: 'KES does not reach its key store',
      fix: 'see whether it answers where KES looks for it. `docker logs ebs-test-kes` says why; `docker restart ebs-test-kes` makes KES log in again',
    });
  });

  test('fails when KES does not say how it is', async () => {
    const refused = await result(
      (_, response) => response.end(),
      () => {
        throw new KesError('status', { status: 403, headers: {}, bytes: Buffer.alloc(0), text: 'not authorized' });
      },
    );
    expect(refused).toMatchObject({
      status: 'failed',
      message: 'KES does not say how it is: KES: status: not authorized (HTTP 403)',
      fix: 'see `docker logs ebs-test-kes`',
    });
  });
});
