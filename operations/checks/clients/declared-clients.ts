/** What MinIO knows of clients against what is declared. */
import { isDeepStrictEqual } from 'node:util';
import { clientUser } from '../../../config/deployment-names';
import { clientPolicy, type DeclaredClient, type PolicyDocument } from '../../../config/minio/client-policies';
import { type AccessKeys, hasEnded } from '../../minio/clients/access-keys';
import { canonicalPolicy, type Iam, type IamUser } from '../../minio/clients/iam';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A deploy renews a key in the last third of its life: when only half of that is left, none came. */
const LATE_SHARE = 1 / 6;

export interface ClientDifferences {
  /** What a deploy made and was changed since, or is missing. */
  readonly changed: readonly string[];
  /** What was made beside the declared clients. */
  readonly foreign: readonly string[];
  /** Keys that no deploy has renewed. */
  readonly late: readonly string[];
}

/**
 * @param keys those of the secrets folder, by client
 * @param now for tests
 */
export function clientDifferences(
  iam: Iam,
  clients: readonly DeclaredClient[],
  keys: Readonly<Record<string, AccessKeys | undefined>>,
  {
    denySseC,
    others = [],
    now = new Date(),
  }: {
    readonly denySseC: boolean;
    /** Users that a deploy makes for something else. */
    readonly others?: readonly string[];
    readonly now?: Date;
  },
): ClientDifferences {
  const declared = clients.map(({ name }) => clientUser(name));
  return {
    changed: clients.flatMap((client) =>
      ofClient(iam, client, keys[client.name], denySseC, now).map((problem) => `client ${client.name}: ${problem}`),
    ),
    foreign: [
      ...Object.keys(iam.users)
        .filter((name) => !declared.includes(name) && !others.includes(name))
        .map((name) => `user ${name}`),
      ...iam.rootKeys.map((key) => `access key ${key} of the root user`),
    ],
    late: clients.flatMap(({ name, expireDays }) => {
      const expires = keys[name]?.current.expires;
      if (expireDays === undefined || expires === undefined) return [];
      const days = (new Date(expires).getTime() - now.getTime()) / DAY_MS;
      if (days >= expireDays * LATE_SHARE) return [];
      return [
        `the access key of client ${name} ends in ${Math.max(0, Math.floor(days * 10) / 10)} days, and no deploy renewed it`,
      ];
    }),
  };
}

function ofClient(
  iam: Iam,
  client: DeclaredClient,
  keys: AccessKeys | undefined,
  denySseC: boolean,
  now: Date,
): string[] {
  const name = clientUser(client.name);
  const user = iam.users[name];
  const problems = userProblems(iam, name, clientPolicy(client, { denySseC }));
  return user === undefined ? problems : [...problems, ...ofKeys(user, keys, now)];
}

/** How a user differs from one that has this policy, by its own name, and nothing else. */
export function userProblems({ users, policies }: Iam, name: string, declared: PolicyDocument): string[] {
  const user = users[name];
  if (user === undefined) return [`user ${name} is not there`];
  const problems: string[] = [];
  if (!user.enabled) problems.push(`user ${name} is disabled`);
  if (!isDeepStrictEqual(user.policies, [name])) {
    problems.push(`user ${name} has the policies ${user.policies.join(', ') || 'none'}, declared ${name}`);
  }
  if (user.groups.length > 0) problems.push(`user ${name} is in the groups ${user.groups.join(', ')}`);
  const policy = policies[name];
  if (policy === undefined) problems.push(`policy ${name} is not there`);
  else if (!isDeepStrictEqual(canonicalPolicy(policy), canonicalPolicy(declared))) {
    problems.push(`policy ${name} is not the declared one`);
  }
  return problems;
}

function ofKeys({ accessKeys }: IamUser, keys: AccessKeys | undefined, now: Date): string[] {
  if (keys === undefined) return ['its access key is not in the secrets folder'];
  const problems: string[] = [];
  const known = [keys.current, ...(keys.previous === undefined ? [] : [keys.previous])];
  for (const key of known) {
    const { accessKey, secretKey, expires } = key;
    const present = accessKeys[accessKey];
    if (present === undefined) {
      if (!hasEnded(key, now)) problems.push(`access key ${accessKey} is not there`);
      continue;
    }
    if (!present.enabled) problems.push(`access key ${accessKey} is disabled`);
    if (!present.secretKey.equals(secretKey)) problems.push(`access key ${accessKey} has another secret key`);
    if (present.hasOwnPolicy) problems.push(`access key ${accessKey} has a policy of its own`);
    if (present.expires !== expires) {
      problems.push(`access key ${accessKey} ends ${present.expires ?? 'never'}, expected ${expires ?? 'never'}`);
    }
  }
  for (const key of Object.keys(accessKeys)) {
    if (!known.some(({ accessKey }) => accessKey === key))
      problems.push(`access key ${key} is none that a deploy made`);
  }
  return problems;
}
