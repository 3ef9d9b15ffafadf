/**
 * Clients through whole deploys: what MinIO sees of their addresses behind Docker's port, tenants with master keys of their
 * own, events, a key that is renewed, and what a backup brings back when everything is lost.
 */
import { CopyObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { clientFile } from '../../config/state/layout';
import { s3Endpoint } from '../../config/state/endpoints';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { type AccessKey, inDays, readAccessKeys, writeAccessKeys } from '../../operations/minio/clients/access-keys';
import { s3Client } from '../../operations/minio/s3-client';
import { ThrowawayCa } from '../helpers/certificates';
import { mustSucceed } from '../helpers/e2e/command';
import { bridgeAddress } from '../helpers/e2e/bridge-address';
import { EventReceiver } from '../helpers/e2e/servers/event-receiver';
import { measured } from '../helpers/e2e/clients/measured';
import { collectSecrets, dockerHaystacks, fileHaystacks, searchFor } from '../helpers/e2e/secrets';
import { keepSigner } from '../helpers/e2e/clients/signer';
import { TestEnvironment } from '../helpers/e2e/test-environment';

let environment: TestEnvironment;
let receiver: EventReceiver;

/** MinIO's network: what this machine sends to another network of Docker has an address of this one. */
const SUBNET = '10.79.253.0/24';

beforeAll(async () => {
  environment = await TestEnvironment.create();
  const address = await bridgeAddress(environment.docker);
  const own = path.join(environment.folder, 'receiver');
  mkdirSync(own);
  const ca = await ThrowawayCa.create(own, 'receiver-ca');
  receiver = await EventReceiver.start(ca, address);
  writeFileSync(path.join(own, 'token'), 'a-token-of-the-webhook\n', { mode: 0o600 });
  const access = (bucket: string, may: 'read' | 'append' | 'write') => [{ bucket, may }];
  environment.write({
    docker: { publishAddress: address, subnet: SUBNET },
    trustedCAs: [ca.file],
    minio: {
      webhooks: [{ name: 'inbox', endpoint: receiver.url, tokenFile: path.join(own, 'token'), queueSize: 1000 }],
    },
    buckets: [
      {
        name: 'tenant-a',
        encryption: { type: 'sse-kms', key: 'key-of-a' },
        versioning: true,
        events: [{ webhook: 'inbox', on: ['created'] }],
      },
      { name: 'tenant-b', encryption: { type: 'sse-kms', key: 'key-of-b' }, versioning: true },
    ],
    clients: [
      { name: 'a', access: access('tenant-a', 'write') },
      { name: 'b', access: access('tenant-b', 'append'), expireDays: 30 },
      { name: 'here', access: access('tenant-a', 'read'), sourceAddresses: [SUBNET] },
      { name: 'elsewhere', access: access('tenant-a', 'read'), sourceAddresses: ['203.0.113.0/24'] },
    ],
  });
  const { seconds } = mustSucceed(await environment.script('up'));
  measured('first deploy with clients and a webhook', seconds);
});

afterAll(async () => {
  await receiver.stop();
  await environment.remove();
});

function keysOf(name: string) {
  const keys = readAccessKeys(clientFile(environment.state.secret.clients, name));
  if (keys === undefined) throw new Error(`${name} has no keys`);
  return keys;
}

const as = (credentials: AccessKey) =>
  s3Client({
    endpoint: s3Endpoint(environment.loaded.environment, environment.state),
    region: 'us-east-1',
    credentials,
  });

const evidence = z.object({
  results: z.array(z.object({ id: z.string(), status: z.string(), evidence: z.unknown() })),
});

test('a client works at its addresses behind the port of Docker, and nowhere else; the check knows where it is', async () => {
  await as(keysOf('here').current).send(new ListObjectsV2Command({ Bucket: 'tenant-a' }));
  await expect(
    as(keysOf('elsewhere').current).send(new ListObjectsV2Command({ Bucket: 'tenant-a' })),
  ).rejects.toMatchObject({ name: 'AccessDenied' });
  const { stdout } = mustSucceed(await environment.script('check', ['--only', 'clients-confined', '--json']));
  const confined = evidence.parse(JSON.parse(stdout)).results.find(({ id }) => id === 'clients-confined');
  expect(confined?.evidence).toMatchObject({
    tried: {
      here: { thisMachine: 'inside' },
      elsewhere: { thisMachine: 'outside its addresses', allowed: 0 },
    },
  });
});

test('the webhook of a bucket gets its events from the container, with TLS and the token', async () => {
  await as(keysOf('a').current).send(new PutObjectCommand({ Bucket: 'tenant-a', Key: 'backup', Body: 'of a' }));
  expect(await receiver.eventOf('tenant-a/backup')).toMatchObject({
    event: 's3:ObjectCreated:Put',
    authorization: 'Bearer a-token-of-the-webhook',
  });
});

describe('a tenant with the access key of another one', () => {
  test('neither lists, reads nor writes what is the other’s, and uses no master key of the other', async () => {
    const [a, b] = [as(keysOf('a').current), as(keysOf('b').current)];
    await b.send(new PutObjectCommand({ Bucket: 'tenant-b', Key: 'backup', Body: 'of b' }));
    const denied = { name: 'AccessDenied' };
    await expect(b.send(new ListObjectsV2Command({ Bucket: 'tenant-a' }))).rejects.toMatchObject(denied);
    await expect(b.send(new GetObjectCommand({ Bucket: 'tenant-a', Key: 'backup' }))).rejects.toMatchObject(denied);
    await expect(b.send(new PutObjectCommand({ Bucket: 'tenant-a', Key: 'forged', Body: 'x' }))).rejects.toMatchObject(
      denied,
    );
    await expect(
      b.send(new CopyObjectCommand({ Bucket: 'tenant-b', Key: 'copied', CopySource: 'tenant-a/backup' })),
    ).rejects.toMatchObject(denied);
    const underKey = (SSEKMSKeyId: string) =>
      new PutObjectCommand({
        Bucket: 'tenant-b',
        Key: 'other',
        Body: 'x',
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId,
      });
    await expect(b.send(underKey('key-of-a'))).rejects.toMatchObject(denied);
    await b.send(underKey('key-of-b'));
    const { SSEKMSKeyId } = await a.send(new GetObjectCommand({ Bucket: 'tenant-a', Key: 'backup' }));
    expect(SSEKMSKeyId).toMatch(/key-of-a$/);
  });
});

test('a plain deploy in the last third of a key makes another one, and the old one works until its end', async () => {
  const old = keysOf('b').current;
  // GIVEN a key with 9 of its 30 days left, in MinIO, too
  writeAccessKeys(clientFile(environment.state.secret.clients, 'b'), { current: { ...old, expires: inDays(9) } });
  writeFileSync(
    environment.state.clientsNote,
    readFileSync(environment.state.clientsNote, 'utf8').replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, inDays(-1)),
  );
  mustSucceed(await environment.script('up'));
  const { current, previous } = keysOf('b');
  expect(current.accessKey).not.toBe(old.accessKey);
  expect(previous?.accessKey).toBe(old.accessKey);
  for (const key of [current, old]) {
    await as(key).send(new GetObjectCommand({ Bucket: 'tenant-b', Key: 'backup' }));
  }
  await environment.expectNothingToDeploy();
});

test('a drill passes with clients; everything is lost: after a restore each client has its key again', async () => {
  mustSucceed(
    await environment.script('drill', [], {
      env: { XDG_STATE_HOME: path.join(environment.folder, 'drill-state') },
    }),
  );
  const identity = path.join(environment.folder, 'identity.txt');
  const recipient = await newIdentity(identity);
  const file = path.join(environment.folder, 'backup.age');
  keepSigner(identity, mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient])));
  const secrets = collectSecrets(environment.state);
  const before = { a: keysOf('a').current, b: keysOf('b').current };
  const restored = async () =>
    mustSucceed(await environment.script('restore', ['--from', file, '--identity', identity]));

  // the drive is left: an old object with an old key
  await environment.lose(/vault/);
  rmSync(environment.state.root, { recursive: true });
  await restored();
  const { Body } = await as(before.a).send(new GetObjectCommand({ Bucket: 'tenant-a', Key: 'backup' }));
  expect(await Body?.transformToString()).toBe('of a');

  // the drive is lost, too
  await environment.lose(/./);
  rmSync(environment.state.root, { recursive: true });
  await restored();
  await as(before.b).send(new PutObjectCommand({ Bucket: 'tenant-b', Key: 'again', Body: 'x' }));
  await as(before.a).send(new PutObjectCommand({ Bucket: 'tenant-a', Key: 'after', Body: 'x' }));
  await receiver.eventOf('tenant-a/after');

  const all = [...secrets, ...collectSecrets(environment.state)];
  expect(all.map(({ name }) => name)).toContain(`secret key of ${before.a.accessKey}`);
  expect(searchFor(all, [...fileHaystacks(environment), ...(await dockerHaystacks(environment))])).toEqual([]);
});
