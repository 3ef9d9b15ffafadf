/**
 * Users, policies and access keys of MinIO, by its export and import of them: one request, whatever their number. Requests
 * for each of them would have MinIO derive a key from a password each time.
 */
import { z } from 'zod';
import { filesInZip, zipOf } from '../../lib/zip';
import { ExternalError } from '../../lib/errors';
import { type Secret, secretText } from '../../lib/secret';
import type { MinioAdmin } from '../minio-admin';

/** An access key that belongs to a user: a service account, as MinIO calls it. */
export interface IamAccessKey {
  readonly secretKey: Secret;
  readonly enabled: boolean;
  /** Absent: it does not end. */
  readonly expires?: string;
  /** A policy of its own narrows what its user may do. */
  readonly hasOwnPolicy: boolean;
}

export interface IamUser {
  readonly enabled: boolean;
  /** Names of its policies. */
  readonly policies: readonly string[];
  readonly groups: readonly string[];
  /** By the keys themselves. */
  readonly accessKeys: Readonly<Record<string, IamAccessKey>>;
}

export interface Iam {
  /** By their names. The root user is not among them. */
  readonly users: Readonly<Record<string, IamUser>>;
  /** Access keys of the root user: nothing binds them but a policy of their own. */
  readonly rootKeys: readonly string[];
  readonly policies: Readonly<Record<string, unknown>>;
}

const exportedUsers = z.record(z.string(), z.object({ status: z.string() }));
const exportedGroups = z.record(z.string(), z.object({ members: z.array(z.string()).nullish() }));
const exportedMappings = z.record(z.string(), z.object({ policy: z.string() }));
const exportedKeys = z.record(
  z.string(),
  z.object({
    parent: z.string(),
    secretKey: secretText,
    status: z.string(),
    expiration: z.string().nullish(),
    sessionPolicy: z.unknown(),
  }),
);
const exportedPolicies = z.record(z.string(), z.unknown());

/** How Go writes a time that was never set, and how MinIO writes none. */
const WITHOUT_END = /^(?:0001|1970)-01-01T/;

export async function readIam(admin: Pick<MinioAdmin, 'exportIam'>): Promise<Iam> {
  const files = filesInZip(await admin.exportIam());
  const read = <T>(name: string, shape: z.ZodType<Record<string, T>>): Record<string, T> => {
    const text = files.get(`iam-assets/${name}.json`)?.().toString('utf8');
    // Go writes a map without entries as null
    return text === undefined ? {} : (shape.nullable().parse(JSON.parse(text)) ?? {});
  };
  const groups = Object.entries(read('groups', exportedGroups));
  const mappings = read('user_mappings', exportedMappings);
  const keys = Object.entries(read('svcaccts', exportedKeys));
  const users = read('users', exportedUsers);
  return {
    policies: read('policies', exportedPolicies),
    users: Object.fromEntries(
      Object.entries(users).map(([name, { status }]) => [
        name,
        {
          enabled: status === 'enabled',
          policies: (mappings[name]?.policy ?? '').split(',').filter((policy) => policy !== ''),
          groups: groups.filter(([, { members }]) => members?.includes(name)).map(([group]) => group),
          accessKeys: Object.fromEntries(
            keys.filter(([, { parent }]) => parent === name).map(([key, of]) => [key, accessKeyOf(of)]),
          ),
        },
      ]),
    ),
    rootKeys: keys.filter(([, { parent }]) => users[parent] === undefined).map(([key]) => key),
  };
}

function accessKeyOf({
  secretKey,
  status,
  expiration,
  sessionPolicy,
}: z.infer<typeof exportedKeys>[string]): IamAccessKey {
  return {
    secretKey,
    enabled: status === 'on',
    hasOwnPolicy: sessionPolicy !== undefined && sessionPolicy !== null,
    ...(expiration === undefined || expiration === null || WITHOUT_END.test(expiration)
      ? {}
      : { expires: new Date(expiration).toISOString() }),
  };
}

/** What is to be made, or put in the place of what has its name. */
export interface IamChanges {
  readonly policies: Record<string, unknown>;
  /** Users with their secret keys; each is enabled. */
  readonly users: Record<string, Secret>;
  /** The policy of a user, in the place of all others. */
  readonly policyOf: Record<string, string>;
  readonly accessKeys: Record<
    string,
    { readonly user: string; readonly secretKey: Secret; readonly expires?: string | undefined }
  >;
}

/** Changes of no user yet. */
export const noChanges = (): IamChanges => ({ policies: {}, users: {}, policyOf: {}, accessKeys: {} });

/** @throws ExternalError that names what MinIO did not take */
export async function changeIam(admin: Pick<MinioAdmin, 'importIam'>, changes: IamChanges): Promise<void> {
  const { policies, users, policyOf, accessKeys } = changes;
  if ([policies, users, policyOf, accessKeys].every((part) => Object.keys(part).length === 0)) return;
  const archive = {
    policies,
    users: mapped(users, (secretKey) => ({ secretKey: secretKey.reveal(), status: 'enabled' })),
    user_mappings: mapped(policyOf, (policy) => ({ version: 1, policy })),
    svcaccts: Object.fromEntries(
      Object.entries(accessKeys).map(([accessKey, { user, secretKey, expires }]) => [
        accessKey,
        { parent: user, accessKey, secretKey: secretKey.reveal(), status: 'on', expiration: expires },
      ]),
    ),
  };
  const files = Object.entries(archive).map(([name, content]) => [`iam-assets/${name}.json`, JSON.stringify(content)]);
  const refused = await admin.importIam(zipOf(Object.fromEntries(files) as Record<string, string>));
  if (refused.length > 0)
    throw new ExternalError(`MinIO did not take ${refused.join(', ')}`, 'see the log of its container');
}

const mapped = <T, U>(record: Readonly<Record<string, T>>, make: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, make(value)]));

/** A policy in one spelling: MinIO gives lists in no order. */
export function canonicalPolicy(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(canonicalPolicy).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, content]) => [name, canonicalPolicy(content)]),
  );
}
