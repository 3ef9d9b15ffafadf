/**
 * Gives each declared client of the S3 API its identity in MinIO, and takes away what a deploy made for others.
 *
 * A client is a user with a policy, whose secret key is not kept, and an access key of that user: a user could mint
 * temporary credentials, because MinIO asks no policy about AssumeRole (minio/minio, cmd/sts-handlers.go); an access key
 * cannot. Each has a user of its own, because MinIO lets an access key list and delete the others of its user.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { CLIENT_PREFIX, clientUser } from '../../../config/deployment-names';
import { clientPolicy, type DeclaredClient } from '../../../config/minio/client-policies';
import type { OperationInput } from '../../../config/operation-inputs';
import { clientFile } from '../../../config/state/layout';
import { isDue, NEVER, noteRenewal } from '../../certificates/renewal';
import { ensureFolder } from '../../lib/files';
import { Secret } from '../../lib/secret';
import { MinioAdmin } from '../minio-admin';
import { readCredentials } from '../s3-client';
import {
  type AccessKey,
  type AccessKeys,
  clientsWithKeys,
  hasEnded,
  inDays,
  newAccessKey,
  readAccessKeys,
  requireWholeAccessKeys,
  writeAccessKeys,
} from './access-keys';
import { canonicalPolicy, changeIam, type Iam, type IamAccessKey, type IamChanges, noChanges, readIam } from './iam';

type Input = OperationInput<'provision-clients'>;
type Admin = Pick<
  MinioAdmin,
  'exportIam' | 'importIam' | 'deletePolicy' | 'deleteUser' | 'leaveGroup' | 'deleteAccessKey'
>;

const MINUTE_MS = 60 * 1000;
/** MinIO takes no end that is nearer (minio/minio, cmd/iam-store.go, minServiceAccountExpiry). */
const NEAREST_END_MS = 15 * MINUTE_MS;

export async function provisionClients(input: Input): Promise<void> {
  const admin = new MinioAdmin(input.endpoint, input.region, readCredentials(input.iamFile));
  try {
    await provisionWith(admin, input);
  } finally {
    admin.close();
  }
}

/** @param now for tests */
export async function provisionWith(admin: Admin, input: Input, now = new Date()): Promise<void> {
  const { clients, folder, renewalNote } = input;
  requireWholeAccessKeys(folder);
  const files = clients.map(({ name }) => clientFile(folder, name));
  // asked before files are made: the plan has seen that they were missing
  const expected = isDue(renewalNote, now, files);
  // it stays when the last client is gone, see operations/state/clients.ts
  ensureFolder(folder);

  const iam = await readIam(admin);
  const changes = noChanges();
  const ends: Date[] = [];
  for (const client of clients) {
    const file = clientFile(folder, client.name);
    const keys = keysFor(client, readAccessKeys(file), now);
    // before MinIO has them, so that no key is in MinIO alone
    writeAccessKeys(file, keys);
    note(changes, iam, client, keys, { denySseC: input.denySseC, now });
    const renewal = renewalOf(client, keys.current);
    if (renewal !== undefined) ends.push(renewal);
  }
  await changeIam(admin, changes);
  const made = Object.keys(changes.users);
  if (made.length > 0) process.stderr.write(`made ${made.length} users of MinIO: ${made.join(', ')}\n`);
  for (const client of clients)
    await removeFromClient(admin, iam, client, readAccessKeys(clientFile(folder, client.name)));
  await removeOthers(admin, iam, input);
  const next = new Date(Math.min(...ends.map((end) => end.getTime()), NEVER.getTime()));
  noteRenewal(renewalNote, next, now, {}, expected);
}

/** The keys that a client has from now on: those that it had, or others where it has none, or its own ends soon. */
function keysFor(client: DeclaredClient, present: AccessKeys | undefined, now: Date): AccessKeys {
  const { expireDays } = client;
  if (present === undefined) return { current: newAccessKey(expireDays, now) };
  const previous = present.previous !== undefined && hasEnded(present.previous, now) ? undefined : present.previous;
  const kept = (current: AccessKey): AccessKeys => ({ current, ...(previous === undefined ? {} : { previous }) });
  const { expires, ...endless } = present.current;
  if (expireDays === undefined) return kept(hasEnded(present.current, now) ? newAccessKey(undefined, now) : endless);
  // declared since, or shortened
  const latest = inDays(expireDays, now);
  if (expires === undefined || expires > latest) return kept({ ...endless, expires: latest });
  const renewal = renewalOf(client, present.current);
  if (renewal === undefined || now < renewal) return kept(present.current);
  const current = newAccessKey(expireDays, now);
  return hasEnded(present.current, now) ? { current } : { current, previous: present.current };
}

/** When a third of its life is left. */
function renewalOf({ expireDays }: DeclaredClient, { expires }: AccessKey): Date | undefined {
  if (expireDays === undefined || expires === undefined) return undefined;
  return new Date(new Date(inDays(-expireDays / 3, new Date(expires))).getTime());
}

/** Notes what of a client is not there, or not as declared. */
function note(
  changes: IamChanges,
  iam: Iam,
  client: DeclaredClient,
  keys: AccessKeys,
  { denySseC, now }: { readonly denySseC: boolean; readonly now: Date },
): void {
  const name = clientUser(client.name);
  const policy = clientPolicy(client, { denySseC });
  if (!isDeepStrictEqual(canonicalPolicy(iam.policies[name]), canonicalPolicy(policy))) changes.policies[name] = policy;
  const user = iam.users[name];
  if (user?.enabled !== true) changes.users[name] = new Secret(randomBytes(20).toString('hex'));
  if (!isDeepStrictEqual(user?.policies, [name])) changes.policyOf[name] = name;
  for (const key of keysIn(keys)) {
    const nearlyEnded = key.expires !== undefined && new Date(key.expires).getTime() - now.getTime() < NEAREST_END_MS;
    if (nearlyEnded || isThere(user?.accessKeys[key.accessKey], key)) continue;
    changes.accessKeys[key.accessKey] = { user: name, secretKey: key.secretKey, expires: key.expires };
  }
}

function isThere(present: IamAccessKey | undefined, key: AccessKey): boolean {
  return (
    present !== undefined &&
    present.enabled &&
    !present.hasOwnPolicy &&
    present.secretKey.equals(key.secretKey) &&
    present.expires === wholeSeconds(key.expires)
  );
}

const keysIn = ({ current, previous }: AccessKeys): AccessKey[] =>
  previous === undefined ? [current] : [current, previous];

/** Takes from a client what is not declared. */
async function removeFromClient(
  admin: Admin,
  { users }: Iam,
  client: DeclaredClient,
  keys: AccessKeys | undefined,
): Promise<void> {
  const name = clientUser(client.name);
  const user = users[name];
  for (const group of user?.groups ?? []) await admin.leaveGroup(group, name);
  const wanted = keys === undefined ? [] : keysIn(keys);
  for (const key of Object.keys(user?.accessKeys ?? {})) {
    if (!wanted.some(({ accessKey }) => accessKey === key)) await admin.deleteAccessKey(key);
  }
}

const wholeSeconds = (time: string | undefined): string | undefined =>
  time === undefined ? undefined : new Date(Math.floor(new Date(time).getTime() / 1000) * 1000).toISOString();

/** Users, policies and files that deploys made for clients which are no longer declared. */
async function removeOthers(admin: Admin, { users, policies }: Iam, { clients, folder }: Input): Promise<void> {
  const declared = clients.map(({ name }) => clientUser(name));
  const others = (names: readonly string[]): string[] =>
    names.filter((name) => name.startsWith(CLIENT_PREFIX) && !declared.includes(name));
  for (const name of others(Object.keys(users))) {
    await admin.deleteUser(name);
    process.stderr.write(`removed user ${name} of MinIO\n`);
  }
  for (const name of others(Object.keys(policies))) await admin.deletePolicy(name);
  for (const name of clientsWithKeys(folder)) {
    // last: it says that there is something to be taken away
    if (!clients.some((client) => client.name === name)) rmSync(clientFile(folder, name), { force: true });
  }
}
