import { UsageError } from '../../../../operations/lib/errors';
import {
  type DriveFacts,
  judgeDrives,
  type KnownDeployment,
  type SeenFolder,
} from '../../../../operations/minio/drives/drives-preflight';
import { thrownBy } from '../../../helpers/thrown';

const MEMBERS = ['one', 'two', 'three', 'four'];
const NEW: KnownDeployment = { ids: new Set(), folders: new Set() };
const OURS: KnownDeployment = {
  ids: new Set(['ours']),
  folders: new Set(),
  objectsOn: 'folders /d1, /d2, /d3 and /d4',
};

const EMPTY: SeenFolder = { isFolder: true, uid: 65532, mode: 0o700 };
/** A drive of a set. */
const of = (member: string, { id = 'ours', members = MEMBERS, format = 'xl' } = {}): SeenFolder => ({
  ...EMPTY,
  format: JSON.stringify({ version: '1', format, id, xl: { version: '3', this: member, sets: [members] } }),
});

/** The drives /d1, /d2 and so on. */
const drives = (...seen: (SeenFolder | undefined)[]): DriveFacts[] =>
  seen.map((one, index) => ({ folder: `/d${index + 1}`, adopt: false, seen: one }));
const four = (seen: SeenFolder): DriveFacts[] => drives(seen, seen, seen, seen);
const set = MEMBERS.map((member) => of(member));
const replaced = (index: number, seen: SeenFolder): DriveFacts[] => drives(...set.with(index, seen));
const adopted = (facts: DriveFacts[]): DriveFacts[] => facts.map((drive) => ({ ...drive, adopt: true }));
const single = (id?: string) =>
  of('one', { members: ['one'], format: 'xl-single', ...(id === undefined ? {} : { id }) });

function problemOf(facts: readonly DriveFacts[], known: KnownDeployment): [string, string | undefined] {
  const error = thrownBy(() => judgeDrives(facts, known));
  if (!(error instanceof UsageError)) throw error;
  return [error.message, error.hint?.replace('\nNothing was changed.', '')];
}

test.each<[string, DriveFacts[], KnownDeployment]>([
  ['new ones', four(EMPTY), NEW],
  ['a new one', drives(EMPTY), NEW],
  ['those of this deployment', drives(...set), OURS],
  ['the one of this deployment', drives(single()), OURS],
  [
    'those in which a deploy was interrupted',
    drives(...set),
    { ...NEW, folders: new Set(['/d1', '/d2', '/d3', '/d4']) },
  ],
  ['those of another MinIO that are to be taken over', adopted(drives(...set)), NEW],
  ['the one of another MinIO that is to be taken over', adopted(drives(single('another'))), NEW],
])('%s are as MinIO needs them', (_, facts, known) => {
  expect(judgeDrives(facts, known)).toEqual([]);
});

const FOLDER = 'name an empty folder: MinIO takes every folder on a drive for a bucket';
const NUMBER = 'name its drives as they were, or copy the objects to new ones: docs/drives.md';

test.each<[string, DriveFacts[], KnownDeployment, string, string]>([
  [
    'a folder that is missing',
    drives(undefined),
    NEW,
    'minio.drives[0]: /d1 does not exist on the Docker host',
    'mount its disk, then: install -d -o 65532 -g 65532 -m 700 /d1',
  ],
  [
    'a file',
    drives({ ...EMPTY, isFolder: false }),
    NEW,
    'minio.drives[0]: /d1 is no folder',
    'name the folder at which a disk is mounted',
  ],
  [
    'an empty folder of root',
    drives({ ...EMPTY, uid: 0 }),
    NEW,
    'minio.drives[0]: /d1 belongs to user 0, and MinIO runs as user 65532',
    'chown 65532:65532 /d1',
  ],
  [
    'a drive of root',
    drives({ ...single(), uid: 0 }),
    OURS,
    'minio.drives[0]: /d1 belongs to user 0, and MinIO runs as user 65532',
    'chown -R 65532:65532 /d1',
  ],
  [
    'a folder that its owner cannot write',
    drives({ ...EMPTY, mode: 0o40555 }),
    NEW,
    'minio.drives[0]: /d1 has mode 0555, and its owner must read, write and enter it',
    'chmod 700 /d1',
  ],
  [
    'a folder with something else',
    drives({ ...EMPTY, stranger: 'photos' }),
    NEW,
    'minio.drives[0]: /d1 holds photos, which is not MinIO’s',
    FOLDER,
  ],
  [
    'what MinIO did not write',
    drives({ ...EMPTY, format: '{}' }),
    NEW,
    'minio.drives[0]: /d1/.minio.sys/format.json is not as MinIO writes it',
    'empty the folder, and MinIO heals the drive from the others',
  ],
  [
    'a drive of another MinIO',
    drives(single('another')),
    NEW,
    'minio.drives[0]: /d1 holds data of MinIO another, which is not that of this environment',
    'if it is what this environment had, its state is lost: ./scripts/restore brings it back. To take over a MinIO that ' +
      'has been stopped, write {path: …, adopt: true} for each: docs/drives.md',
  ],
  [
    'a drive of another MinIO in the place of ours, adopted or not',
    adopted(drives(...set.with(2, of('three', { id: 'another' })))),
    OURS,
    'minio.drives[2]: /d3 holds data of MinIO another, which is not that of this environment\n' +
      'minio.drives[2]: /d3 is of MinIO another, and minio.drives[0]: /d1 of ours',
    'mount the disks with its own objects, which are on the folders /d1, /d2, /d3 and /d4\n' +
      'mount the drives of one deployment, or empty the one that does not belong to it',
  ],
  [
    'drives in another order',
    drives(of('two'), of('one'), of('three'), of('four')),
    OURS,
    'minio.drives has the drives in another order than MinIO, which cannot change it',
    'write them in this order: /d2, /d1, /d3, /d4',
  ],
  [
    'a drive in the place of one that is empty',
    drives(of('one'), of('three'), EMPTY, of('four')),
    OURS,
    'minio.drives has the drives in another order than MinIO, which cannot change it',
    'write them in this order: /d1, (empty), /d2, /d4',
  ],
  [
    'a drive twice',
    replaced(3, of('one')),
    OURS,
    'minio.drives[3]: /d4 is a copy of another drive of the list',
    'mount each disk once, or empty the copy, and MinIO heals it',
  ],
  [
    'another number of drives',
    drives(...set, EMPTY),
    OURS,
    'minio.drives[0]: /d1 is one of 4 drives, and minio.drives names 5: MinIO cannot change the number',
    NUMBER,
  ],
  [
    'one drive that is to be one of several',
    drives(single(), EMPTY, EMPTY, EMPTY),
    OURS,
    'minio.drives[0]: /d1 is a single drive, and minio.drives names 4: MinIO cannot change the number',
    NUMBER,
  ],
  [
    'one of several that is to be alone',
    drives(of('one')),
    OURS,
    'minio.drives[0]: /d1 is one of 4 drives, and minio.drives names 1: MinIO cannot change the number',
    NUMBER,
  ],
  [
    'too few of the drives',
    drives(of('one'), EMPTY, EMPTY, EMPTY),
    OURS,
    'only 1 of 4 folders of minio.drives hold data, and MinIO needs half of them to start',
    'mount the other disks',
  ],
  [
    'none of the drives',
    four(EMPTY),
    OURS,
    'the folders of minio.drives are empty, and this environment has its objects on the folders /d1, /d2, /d3 and /d4',
    'mount the disks, or copy the objects: docs/drives.md',
  ],
])('%s: refused', (_, facts, known, problem, fix) => {
  expect(problemOf(facts, known)).toEqual([problem, fix]);
});

test('what is wrong with each folder is said at once, each command once', () => {
  const [problem, fix] = problemOf(drives(undefined, { ...EMPTY, uid: 0 }, EMPTY, { ...EMPTY, stranger: 'x' }), NEW);
  expect(problem.split('\n')).toHaveLength(3);
  expect(fix?.split('\n')).toEqual([
    'mount its disk, then: install -d -o 65532 -g 65532 -m 700 /d1',
    'chown 65532:65532 /d2',
    FOLDER,
  ]);
});

test('a drive that was replaced by an empty one is healed', () => {
  expect(judgeDrives(replaced(2, EMPTY), OURS)).toEqual([
    'minio.drives[2]: /d3 is empty: MinIO heals it from the other drives',
  ]);
});

describe('of several hosts', () => {
  const HOSTS = ['a', 'b', 'c'];
  const ALL = ['a1', 'b1', 'c1', 'a2', 'b2', 'c2'];
  const OF_HOSTS = { ...OURS, objectsOn: 'folders /d1 and /d2' };
  // two sets, as MinIO makes them of many drives: the order is that of both together
  const member = (one: string): SeenFolder => ({
    ...EMPTY,
    format: JSON.stringify({
      format: 'xl',
      id: 'ours',
      xl: { this: one, sets: [ALL.slice(0, 3), ALL.slice(3)] },
    }),
  });
  /** Two drives of each host, in MinIO's order. @param seen other than what was deployed */
  const pool = (seen: Readonly<Record<string, SeenFolder | 'away'>> = {}): DriveFacts[] =>
    ALL.map((name, position) => {
      const index = Math.floor(position / HOSTS.length);
      const found = seen[name] ?? member(name);
      const on = { host: HOSTS[position % HOSTS.length] ?? '', index };
      const drive = { folder: `/d${index + 1}`, adopt: false, on };
      return found === 'away' ? { ...drive, away: true } : { ...drive, seen: found };
    });
  const empty = Object.fromEntries(ALL.map((name) => [name, EMPTY]));

  test.each<[string, DriveFacts[], KnownDeployment, string[]]>([
    ['as they were', pool(), OF_HOSTS, []],
    ['of a host that is away', pool({ b1: 'away', b2: 'away' }), OF_HOSTS, []],
    ['of a first deploy', pool(empty), NEW, []],
    ['of a new pool', pool(empty), { ...OF_HOSTS, isNewPool: true }, []],
    [
      'of a host that was replaced',
      pool({ b1: EMPTY, b2: EMPTY }),
      OF_HOSTS,
      [
        'minio.drives[0]: /d1 on host b is empty: MinIO heals it from the other drives',
        'minio.drives[1]: /d2 on host b is empty: MinIO heals it from the other drives',
      ],
    ],
  ])('%s: as MinIO needs them', (_, facts, known, notes) => {
    expect(judgeDrives(facts, known)).toEqual(notes);
  });

  test.each<[string, DriveFacts[], KnownDeployment, string, string]>([
    [
      'of a pool that was deployed, and none holds data',
      pool(empty),
      OF_HOSTS,
      'the folders of minio.drives on a, b, c are empty, and this environment has its objects on the folders /d1 and /d2',
      'mount the disks, or copy the objects: docs/drives.md',
    ],
    [
      'of which most are not mounted, where one host is away',
      pool({ a1: 'away', a2: 'away', b1: EMPTY, b2: EMPTY, c1: EMPTY }),
      OF_HOSTS,
      'only 1 of 4 folders of minio.drives hold data, and MinIO needs half of them to start',
      'mount the other disks',
    ],
    [
      'that have changed places',
      pool({ b1: member('b2'), b2: member('b1') }),
      OF_HOSTS,
      'minio.drives[0]: /d1 on host b is another drive of MinIO, which cannot change their order',
      'mount each disk where it was',
    ],
    [
      'more than there were',
      pool().slice(0, 5),
      OF_HOSTS,
      'minio.drives[0]: /d1 on host a is one of 6 drives in 2 sets, and minio.drives names 5: MinIO cannot change the number',
      NUMBER,
    ],
    [
      'of which one is not prepared',
      pool({ c2: { ...EMPTY, uid: 0 } }),
      NEW,
      'minio.drives[1]: /d2 on host c belongs to user 0, and MinIO runs as user 65532',
      'chown 65532:65532 /d2',
    ],
  ])('%s: refused', (_, facts, known, problem, fix) => {
    expect(problemOf(facts, known)).toEqual([problem, fix]);
  });
});

describe('disks', () => {
  const GB = 1e9;
  const on = (facts: DriveFacts[], ...disks: [number, number][]): DriveFacts[] =>
    facts.map((drive, index) => {
      const [device = 0, bytes = 0] = disks[index] ?? [];
      return { ...drive, disk: { device, bytes } };
    });
  const known: KnownDeployment = { ...NEW, systemDevice: 1 };

  test.each<[string, [number, number][], string[]]>([
    [
      'of their own',
      [
        [2, GB],
        [3, GB],
        [4, 1.05 * GB],
        [5, GB],
      ],
      [],
    ],
    [
      'that two share',
      [
        [2, GB],
        [3, GB],
        [2, GB],
        [5, GB],
      ],
      ['WARNING: minio.drives: /d1, /d3 are on one disk, and are lost together'],
    ],
    [
      'of the system',
      [
        [1, GB],
        [1, GB],
        [1, GB],
        [1, GB],
      ],
      [
        'WARNING: minio.drives: /d1, /d2, /d3, /d4 are on one disk, which is the disk of the system, and are lost together',
      ],
    ],
    [
      'of which one is not mounted',
      [
        [2, GB],
        [1, GB],
        [3, GB],
        [4, GB],
      ],
      ['WARNING: minio.drives: /d2 is on the disk of the system: is its own mounted?'],
    ],
    [
      'of different sizes',
      [
        [2, 4 * GB],
        [3, 4 * GB],
        [4, 3 * GB],
        [5, 4 * GB],
      ],
      [
        'WARNING: minio.drives: the disks have 3.0 GB to 4.0 GB, and MinIO uses of each as much as the smallest has (/d3)',
      ],
    ],
  ])('%s', (_, disks, warnings) => {
    expect(judgeDrives(on(four(EMPTY), ...disks), known)).toEqual(warnings);
  });

  test('of double the size waste half of it: refused for a new set, a warning for one that there is', () => {
    const disks: [number, number][] = [
      [2, 2 * GB],
      [3, GB],
      [4, GB],
      [5, GB],
    ];
    const said =
      'minio.drives: the disks have 1.0 GB to 2.0 GB, and MinIO uses of each as much as the smallest has (/d2)';
    expect(problemOf(on(four(EMPTY), ...disks), known)).toEqual([
      said,
      'name disks of about one size; the number of drives cannot change later',
    ]);
    expect(judgeDrives(on(drives(...set), ...disks), { ...OURS, systemDevice: 1 })).toEqual([`WARNING: ${said}`]);
  });
});
