import { waitForMinio } from '../../operations/run-checks';
import { ThrowawayCa } from '../helpers/certificates';
import { useTemporaryFolder } from '../helpers/temporary-folder';
import { TlsServer } from '../helpers/tls-server';

const folder = useTemporaryFolder();

/** Waits for a MinIO that gives these answers, the last one for good. @returns how often it was asked */
async function askedOf(answers: readonly number[], trusted = true): Promise<number> {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const stranger = await ThrowawayCa.create(folder(), 'stranger');
  let asked = 0;
  const minio = await TlsServer.start(await ca.issue('minio'), ({ url }, response) => {
    response.statusCode = url === '/minio/health/cluster' ? (answers[asked] ?? answers.at(-1) ?? 404) : 404;
    asked += 1;
    response.end();
  });
  try {
    await waitForMinio({ url: minio.url, caFile: (trusted ? ca : stranger).file });
    return asked;
  } finally {
    await minio.stop();
  }
}

test('the checks begin when MinIO has its drives', async () => {
  expect(await askedOf([503, 503, 200])).toBe(3);
});

test('they begin at once, and say why, where MinIO answers otherwise', async () => {
  expect(await askedOf([403])).toBe(1);
});

test('they begin at once, and say why, where its certificate is not trusted', async () => {
  expect(await askedOf([503], false)).toBe(0);
});
