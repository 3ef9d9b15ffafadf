import type Docker from 'dockerode';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { ExternalError } from '../../../operations/lib/errors';
import { restartVault } from '../../../operations/vault/restart-vault';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';
import { ownVault } from '../../helpers/servers/vault';

const folder = useTemporaryFolder();
const done: string[] = [];
let vault: TlsServer;

/** Its Vault, of three shares of which two unseal, and a Docker that has it. */
async function deployment(shares: readonly string[]) {
  const state = stateLayout('home', folder());
  mkdirSync(path.dirname(state.caCertificate), { recursive: true });
  const ca = await ThrowawayCa.create(path.dirname(state.caCertificate), 'ca');
  let progress = 0;
  let sealed = false;
  vault = await TlsServer.start(await ca.issue('vault'), ({ method, url }, response, body) => {
    if (method === 'POST') {
      done.push(`${url}: ${(JSON.parse(body) as { key: string }).key}`);
      progress += 1;
      sealed = progress < 2;
    }
    if (url === '/v1/sys/health') response.statusCode = sealed ? 503 : 200;
    response.end(JSON.stringify({ initialized: true, sealed, t: 2, n: 3, progress }));
  });
  const { port } = new URL(vault.url);
  const environment = parseEnvironment(
    `name: home\nvault: { mode: embedded, port: ${port}, shares: 3, threshold: 2 }`,
    'home.yaml',
  );
  mkdirSync(path.dirname(state.secret.unsealShare(1)), { recursive: true });
  shares.forEach((share, index) => {
    writeFileSync(state.secret.unsealShare(index + 2), `${share}\n`);
  });
  const docker = {
    getContainer: (name: string) => ({
      restart: () => {
        done.push(`restart ${name}`);
        sealed = true;
        return Promise.resolve();
      },
    }),
  } as unknown as Docker;
  return { environment, state, docker };
}

beforeEach(() => {
  done.length = 0;
});
afterEach(() => vault.stop());

test('Vault is unsealed after it by the shares that are there', async () => {
  const { docker, ...loaded } = await deployment(['second', 'third']);
  await restartVault(loaded, ownVault(loaded.environment), () => docker);
  expect(done).toEqual(['restart ebs-home-vault', '/v1/sys/unseal: second', '/v1/sys/unseal: third']);
});

test('it is not restarted where it would stay sealed', async () => {
  const { docker, ...loaded } = await deployment(['second']);
  const error = await rejectionOf(restartVault(loaded, ownVault(loaded.environment), () => docker));
  expect(error).toBeInstanceOf(ExternalError);
  expect(error).toMatchObject({
    message: `Vault must be restarted, and 1 of the 2 unseal shares that it needs then are in ${path.dirname(loaded.state.secret.unsealShare(1))}`,
    hint: 'put the shares back for as long as this runs; nothing was changed',
  });
  expect(done).toEqual([]);
});
