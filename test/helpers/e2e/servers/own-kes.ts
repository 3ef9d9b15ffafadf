/** A KES of a test on the loopback: its keys are files, and MinIO is its only client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { KesClient } from '../../../../operations/kes/kes-client';
import { kesIdentity } from '../../../../operations/kes/kes-identity';
import { messageOf } from '../../../../operations/lib/errors';
import { NotYet, waitFor } from '../../../../operations/lib/wait';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import { locateProgram } from '../../../../operations/toolchain/go/go-build';
import { kes } from '../../../../operations/toolchain/go/programs';
import { ThrowawayCa } from '../../certificates';
import { endServer } from '../command';
import { testPorts } from '../test-ports';

export interface OwnKes {
  /** What MinIO is told of it; the first key is the default. */
  readonly variables: Readonly<Record<string, string>>;
  readonly stop: () => Promise<void>;
}

export async function startKes(folder: string, keys: readonly string[]): Promise<OwnKes> {
  mkdirSync(folder);
  const ca = await ThrowawayCa.create(folder, 'kes-ca');
  const server = await ca.issue('kes');
  const client = await ca.issue('minio');
  const [port = 0] = await testPorts(1);
  const url = `https://127.0.0.1:${port}`;
  const configuration = path.join(folder, 'kes.json');
  // JSON is YAML
  writeFileSync(
    configuration,
    JSON.stringify({
      address: `127.0.0.1:${port}`,
      admin: { identity: 'disabled' },
      tls: { cert: server.certificateFile, key: server.privateKeyFile, ca: ca.file, auth: 'on' },
      policy: {
        minio: {
          allow: ['/v1/status', '/v1/key/create/*', '/v1/key/generate/*', '/v1/key/decrypt/*'],
          identities: [kesIdentity(readFileSync(client.certificateFile, 'utf8'))],
        },
      },
      keystore: { fs: { path: path.join(folder, 'keys') } },
    }),
  );
  const logFile = path.join(folder, 'kes.log');
  const log = openSync(logFile, 'w', 0o600);
  const { file } = await locateProgram(cacheLayout(), kes);
  const child: ChildProcess = spawn(file, ['server', '--config', configuration], { stdio: ['ignore', log, log] });
  closeSync(log);
  const kesClient = new KesClient({
    url,
    caFile: ca.file,
    certificateFile: client.certificateFile,
    privateKeyFile: client.privateKeyFile,
  });
  await waitFor({ what: `KES at ${url}`, timeoutMs: 60_000, hint: `see ${logFile}` }, async () =>
    kesClient.ready().catch((error: unknown) => new NotYet(messageOf(error))),
  );
  for (const key of keys) await kesClient.create(key);
  kesClient.close();
  return {
    variables: {
      MINIO_KMS_KES_ENDPOINT: url,
      MINIO_KMS_KES_KEY_NAME: keys[0] ?? '',
      MINIO_KMS_KES_CERT_FILE: client.certificateFile,
      MINIO_KMS_KES_KEY_FILE: client.privateKeyFile,
      MINIO_KMS_KES_CAPATH: ca.file,
      MINIO_KMS_AUTO_ENCRYPTION: 'on',
    },
    stop: async () => endServer(child),
  };
}
