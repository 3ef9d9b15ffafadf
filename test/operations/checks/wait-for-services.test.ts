import { HttpClient } from '../../../operations/lib/net/http';
import { type KesClient, KesError } from '../../../operations/kes/kes-client';
import { waitForServices } from '../../../operations/checks/run-checks';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { TlsServer } from '../../helpers/servers/tls-server';

const folder = useTemporaryFolder();

/** A KES that gives these answers, the last one for good. */
function kesSaying(...answers: (boolean | Error)[]) {
  let asked = 0;
  const ready = async (): Promise<boolean> => {
    const answer = answers[asked] ?? answers.at(-1) ?? true;
    asked += 1;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return { kes: { ready } as unknown as KesClient, asked: () => asked };
}

/** Waits for a MinIO that gives these answers, the last one for good. @returns how often it was asked */
async function askedOf(answers: readonly number[], { kes } = kesSaying(true), trusted = true): Promise<number> {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const stranger = await ThrowawayCa.create(folder(), 'stranger');
  let asked = 0;
  const server = await TlsServer.start(await ca.issue('minio'), ({ url }, response) => {
    response.statusCode = url === '/minio/health/cluster' ? (answers[asked] ?? answers.at(-1) ?? 404) : 404;
    asked += 1;
    response.end();
  });
  const minio = new HttpClient({ url: server.url, caFile: (trusted ? ca : stranger).file });
  try {
    await waitForServices({ kes, minio });
    return asked;
  } finally {
    minio.close();
    await server.stop();
  }
}

test('the checks begin when MinIO has its drives', async () => {
  expect(await askedOf([503, 503, 200])).toBe(3);
});

test('they begin at once, and say why, where MinIO answers otherwise', async () => {
  expect(await askedOf([403])).toBe(1);
});

test('they begin at once, and say why, where its certificate is not trusted', async () => {
  expect(await askedOf([503], undefined, false)).toBe(0);
});

test('they wait for a KES that is back and has not yet seen that its key store is, too', async () => {
  const away = new Error('connect ECONNREFUSED', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) });
  const kes = kesSaying(away, false, false, true);
  expect(await askedOf([200], kes)).toBe(1);
  expect(kes.asked()).toBe(4);
});

test('they do not wait for a KES that refuses to say how it is', async () => {
  const kes = kesSaying(new KesError('status', { status: 403, headers: {}, bytes: Buffer.alloc(0), text: 'no' }));
  expect(await askedOf([200], kes)).toBe(1);
  expect(kes.asked()).toBe(1);
});
