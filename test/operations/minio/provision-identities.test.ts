/** The identities by which the project acts, against a MinIO that knows users and policies only. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../config/load';
import { iamPolicy, objectsPolicy, operationsPolicy, OWN_POLICIES } from '../../../config/minio/own-identities';
import { RefusedByMinio } from '../../../operations/minio/minio-admin';
import {
  isRefusalAnnounced,
  makeIdentities,
  ROOT_ANNOUNCED,
  whyRootIsLetIn,
} from '../../../operations/minio/provision-identities';
import { readCredentials, type S3Credentials } from '../../../operations/minio/s3-client';
import type { Secret } from '../../../operations/lib/secret';
import { filesInZip } from '../../../operations/lib/zip';
import { rejectionOf } from '../../helpers/thrown';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const NOW = new Date('2026-01-01T00:00:00.000Z');
const files = () => ({
  rootFile: path.join(folder(), 'root.json'),
  files: {
    'ebs-operations': path.join(folder(), 'operations.json'),
    'ebs-iam': path.join(folder(), 'iam.json'),
    'ebs-objects': path.join(folder(), 'objects.json'),
  },
  renewalNote: path.join(folder(), 'note.json'),
  earlierObjects: path.join(folder(), 'earlier-objects.json'),
});

let said: jest.SpyInstance;
beforeEach(() => {
  said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  jest.restoreAllMocks();
});

class FakeMinio {
  readonly policies: Record<string, object> = {};
  readonly secrets: Record<string, string> = {};
  refusesRoot = false;
  /** Where a deploy is killed. */
  killedAt?: 'making the users' | 'proving the users';
  /** Who did something, other than ask. */
  readonly makers = new Set<string>();

  open({ accessKey, secretKey }: S3Credentials) {
    const requireLetIn = (): void => {
      const isRefused = accessKey === 'root' && this.refusesRoot;
      if (isRefused || this.secrets[accessKey] !== secretKey.reveal())
        throw new RefusedByMinio(`${accessKey} is unknown`, 403);
    };
    const make = async (action: () => void): Promise<void> => {
      requireLetIn();
      if (this.killedAt === 'making the users') throw new Error('killed');
      this.makers.add(accessKey);
      action();
      return Promise.resolve();
    };
    return {
      policy: async (name: string): Promise<unknown> => {
        requireLetIn();
        if (this.killedAt === 'proving the users' && accessKey === 'ebs-objects') throw new Error('killed');
        return Promise.resolve(this.policies[name]);
      },
      importIam: async (archive: Buffer) => {
        const files = filesInZip(archive);
        const read = (name: string) =>
          JSON.parse(String(files.get(`iam-assets/${name}.json`)?.())) as Record<string, never>;
        await make(() => {
          Object.assign(this.policies, read('policies'));
          for (const [user, { secretKey }] of Object.entries<{ secretKey: string }>(read('users'))) {
            this.secrets[user] = secretKey;
          }
          expect(read('user_mappings')).toMatchObject({ 'ebs-iam': { policy: 'ebs-iam' } });
        });
        return [];
      },
      putSetting: async (setting: Secret) =>
        make(() => void (this.refusesRoot = setting.reveal() === 'api root_access=off')),
      close: () => undefined,
    };
  }
}

async function provision(minio: FakeMinio, rootAccess: boolean | 'not said' = false): Promise<string[]> {
  const said = rootAccess === 'not said' ? {} : { rootAccess };
  const input = { endpoint: { url: 'https://s3' }, region: 'us-east-1', ...files(), ...said };
  minio.makers.clear();
  await makeIdentities(input, (credentials) => minio.open(credentials), NOW);
  return [...minio.makers];
}

function newMinio(): FakeMinio {
  const minio = new FakeMinio();
  writeFileSync(files().rootFile, JSON.stringify({ accessKey: 'root', secretKey: 'of root' }));
  minio.secrets.root = 'of root';
  return minio;
}

const generation = (): unknown => JSON.parse(readFileSync(files().renewalNote, 'utf8'));

test('root makes the first ones, and is not needed again', async () => {
  const minio = newMinio();
  expect(await provision(minio)).toEqual(['root', 'ebs-operations']);
  expect(minio.policies).toEqual(OWN_POLICIES);
  const made = Object.values(files().files).map(readCredentials);
  expect(made.map(({ accessKey }) => accessKey)).toEqual(['ebs-operations', 'ebs-iam', 'ebs-objects']);
  expect(statSync(files().files['ebs-operations']).mode & 0o777).toBe(0o600);
  delete minio.secrets.root;
  minio.policies['ebs-operations'] = { widened: 'by hand' };
  expect(await provision(minio)).toEqual(['ebs-iam']);
  expect(minio.policies['ebs-operations']).toEqual(operationsPolicy);
  expect(readCredentials(files().files['ebs-iam']).secretKey.reveal()).toBe(made[1]?.secretKey.reveal());
  expect(generation()).toEqual({ generation: 1, renewAfter: '9999-01-01T00:00:00.000Z' });
});

test('an empty drive gets the identities of the files; a file that is lost is made anew', async () => {
  await provision(newMinio());
  const kept = readFileSync(files().files['ebs-operations'], 'utf8');
  const empty = newMinio();
  expect(await provision(empty)).toEqual(['root', 'ebs-operations']);
  expect(readFileSync(files().files['ebs-operations'], 'utf8')).toBe(kept);
});

test('root is refused once all identities are there, and comes back when it is let in', async () => {
  const minio = newMinio();
  expect(await provision(minio)).toEqual(['root', 'ebs-operations']);
  expect(minio.refusesRoot).toBe(true);
  expect(await provision(minio)).toEqual(['ebs-iam']);
  expect(await provision(minio, true)).toEqual(['ebs-iam', 'ebs-operations']);
  expect(minio.refusesRoot).toBe(false);
  expect(said.mock.calls.flat()).toEqual(['MinIO refuses its root user from now on\n']);
  expect(await provision(minio, true)).toEqual(['ebs-iam']);
});

test('where nothing is said, root is refused', async () => {
  const minio = newMinio();
  await provision(minio, 'not said');
  expect(minio.refusesRoot).toBe(true);
  expect(isRefusalAnnounced({ identitiesNote: files().renewalNote }, NOW)).toBe(false);
});

test('a deployment from before such users is told one deploy ahead', async () => {
  const minio = newMinio();
  writeFileSync(files().earlierObjects, '{}');
  await provision(minio, 'not said');
  expect(minio.refusesRoot).toBe(false);
  expect(isRefusalAnnounced({ identitiesNote: files().renewalNote }, NOW)).toBe(true);
  await provision(minio, 'not said');
  expect(minio.refusesRoot).toBe(true);
  expect(isRefusalAnnounced({ identitiesNote: files().renewalNote }, NOW)).toBe(false);
  expect(generation()).toEqual({ generation: 2, renewAfter: '9999-01-01T00:00:00.000Z' });
});

test.each(['making the users', 'proving the users'] as const)(
  'it is told, too, by a deploy that was killed %s',
  async (at) => {
    const minio = newMinio();
    writeFileSync(files().earlierObjects, '{}');
    minio.killedAt = at;
    expect((await rejectionOf(provision(minio, 'not said'))).message).toBe('killed');
    expect(readCredentials(files().files['ebs-iam']).accessKey).toBe('ebs-iam');
    delete minio.killedAt;
    await provision(minio, 'not said');
    expect(minio.refusesRoot).toBe(false);
    expect(isRefusalAnnounced({ identitiesNote: files().renewalNote }, NOW)).toBe(true);
    await provision(minio, 'not said');
    expect(minio.refusesRoot).toBe(true);
  },
);

test('a MinIO that refuses all of them ends the deploy', async () => {
  const minio = newMinio();
  await provision(minio);
  writeFileSync(files().files['ebs-iam'], JSON.stringify({ accessKey: 'ebs-iam', secretKey: 'another' }));
  delete minio.secrets.root;
  const error = await rejectionOf(provision(minio));
  expect(error.message).toBe(
    `MinIO refuses the identity in ${files().files['ebs-iam']}, and root as well: root is unknown`,
  );
});

test.each([
  ['reads no object of a client', operationsPolicy, /"s3:(GetObject|\*)"[^}]*arn:aws:s3:::\*"/],
  ['sees nothing of IAM but policies', operationsPolicy, /ExportIAM|ImportIAM|ListUsers|CreatePolicy|AttachUser/],
  ['touches no object', iamPolicy, /s3:/],
  ['deletes no object', objectsPolicy, /s3:(Delete|\*|Bypass)/],
  ['allows no admin action by a pattern', OWN_POLICIES, /admin:\*/],
])('the identity of the project %s', (_, policy, pattern) => {
  expect(JSON.stringify(policy)).not.toMatch(pattern);
});

test.each([
  ['the environment says so', true, undefined, 'minio.rootAccess lets root in'],
  ['a note is due', undefined, '2026-01-01T00:00:00.000Z', ROOT_ANNOUNCED],
  ['nothing says so', undefined, '9999-01-01T00:00:00.000Z', undefined],
  ['no deploy has made the users', false, undefined, undefined],
])('why root is let in: %s', (_, rootAccess, renewAfter, why) => {
  const identitiesNote = files().renewalNote;
  if (renewAfter !== undefined) writeFileSync(identitiesNote, JSON.stringify({ generation: 1, renewAfter }));
  const environment = parseEnvironment(JSON.stringify({ name: 'x', minio: { rootAccess } }), 'test.yaml');
  expect(whyRootIsLetIn(environment, { identitiesNote })).toBe(why);
});
