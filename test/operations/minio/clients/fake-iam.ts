/** Users, policies and access keys of a MinIO that is not there. */
import { filesInZip, zipOf } from '../../../../operations/lib/zip';
import { Secret } from '../../../../operations/lib/secret';

interface FakeUser {
  enabled: boolean;
  policies: string[];
  groups: string[];
}
interface FakeKey {
  parent: string;
  secretKey: string;
  status: string;
  expiration: string;
  sessionPolicy: unknown;
}
interface GivenKey {
  readonly accessKey: string;
  readonly secretKey: Secret;
  readonly expires?: string | undefined;
}

const WITHOUT_END = '0001-01-01T00:00:00Z';

export class FakeIam {
  users: Record<string, FakeUser> = {};
  policies: Record<string, unknown> = {};
  keys: Record<string, FakeKey> = {};
  readonly secretsOfUsers: Record<string, string> = {};
  /** What was asked to be changed. */
  readonly changes: string[] = [];

  keyOf(accessKey: string | undefined): FakeKey | undefined {
    return this.keys[String(accessKey)];
  }

  onlyKey(): FakeKey {
    const [key] = Object.values(this.keys);
    if (key === undefined) throw new Error('there is no key');
    return key;
  }

  user(name: string): FakeUser {
    const user = this.users[name];
    if (user === undefined) throw new Error(`there is no user ${name}`);
    return user;
  }

  async exportIam(): Promise<Buffer> {
    const groups: Record<string, { status: string; members: string[] }> = {};
    for (const [name, user] of Object.entries(this.users)) {
      for (const group of user.groups) (groups[group] ??= { status: 'enabled', members: [] }).members.push(name);
    }
    const files = {
      users: map(this.users, ({ enabled }) => ({ secretKey: 'hidden', status: enabled ? 'enabled' : 'disabled' })),
      policies: this.policies,
      groups: Object.keys(groups).length === 0 ? null : groups,
      user_mappings: map(this.users, ({ policies }) => ({ version: 1, policy: policies.join(',') })),
      svcaccts: map(this.keys, (key) => key),
    };
    const texts = Object.entries(files).map(([name, content]) => [`iam-assets/${name}.json`, JSON.stringify(content)]);
    return Promise.resolve(zipOf(Object.fromEntries(texts) as Record<string, string>));
  }

  /** As MinIO does: policies, users, access keys, then the policies of users. */
  async importIam(archive: Buffer): Promise<string[]> {
    const files = filesInZip(archive);
    const read = (name: string): [string, Record<string, string>][] =>
      Object.entries(
        JSON.parse(String(files.get(`iam-assets/${name}.json`)?.())) as Record<string, Record<string, string>>,
      );
    for (const [name, document] of read('policies')) await this.putPolicy(name, document);
    for (const [name, { secretKey }] of read('users')) await this.putUser(name, new Secret(secretKey ?? ''));
    for (const [accessKey, { parent = '', secretKey = '', expiration }] of read('svcaccts')) {
      Reflect.deleteProperty(this.keys, accessKey);
      await this.addAccessKey(parent, { accessKey, secretKey: new Secret(secretKey), expires: expiration });
    }
    for (const [name, { policy }] of read('user_mappings')) await this.setUserPolicy(name, policy ?? '');
    return [];
  }

  async putPolicy(name: string, document: unknown): Promise<void> {
    this.policies[name] = document;
    return this.changed(`policy ${name}`);
  }

  async deletePolicy(name: string): Promise<void> {
    Reflect.deleteProperty(this.policies, name);
    return this.changed(`no policy ${name}`);
  }

  async putUser(name: string, secretKey: Secret): Promise<void> {
    this.users[name] = { ...(this.users[name] ?? { policies: [], groups: [] }), enabled: true };
    this.secretsOfUsers[name] = secretKey.reveal();
    return this.changed(`user ${name}`);
  }

  async deleteUser(name: string): Promise<void> {
    Reflect.deleteProperty(this.users, name);
    this.keys = Object.fromEntries(Object.entries(this.keys).filter(([, { parent }]) => parent !== name));
    return this.changed(`no user ${name}`);
  }

  async setUserPolicy(user: string, policy: string): Promise<void> {
    this.user(user).policies = [policy];
    return this.changed(`policy ${policy} of ${user}`);
  }

  async leaveGroup(group: string, user: string): Promise<void> {
    this.user(user).groups = this.user(user).groups.filter((name) => name !== group);
    return this.changed(`${user} left ${group}`);
  }

  async addAccessKey(parent: string, { accessKey, secretKey, expires }: GivenKey): Promise<void> {
    if (this.keys[accessKey] !== undefined) throw new Error(`${accessKey} is taken`);
    this.keys[accessKey] = keyWith(parent, secretKey, expires);
    return this.changed(`key of ${parent}`);
  }

  async deleteAccessKey(accessKey: string): Promise<void> {
    Reflect.deleteProperty(this.keys, accessKey);
    return this.changed('no key');
  }

  private async changed(what: string): Promise<void> {
    this.changes.push(what);
    return Promise.resolve();
  }
}

function keyWith(parent: string, secretKey: Secret, expires: string | undefined): FakeKey {
  return {
    parent,
    secretKey: secretKey.reveal(),
    status: 'on',
    expiration: expires ?? WITHOUT_END,
    sessionPolicy: null,
  };
}

const map = <T, U>(record: Readonly<Record<string, T>>, make: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, make(value)]));
