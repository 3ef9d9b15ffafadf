/**
 * Looks at the folders that are drives of MinIO, on the Docker host, before anything is touched. Those of several hosts are
 * one set of drives in each pool.
 *
 * Of each folder:
 *
 * | folder                                     | what happens                                                      |
 * |--------------------------------------------|-------------------------------------------------------------------|
 * | missing, a file, of another user           | REFUSE, with the command that makes it right                      |
 * | empty, or with `lost+found` alone          | a new drive                                                       |
 * | with something that is not MinIO's         | REFUSE                                                            |
 * | of this deployment                         | it stays what it is                                               |
 * | of another MinIO, with `adopt`             | taken over by the first deploy; REFUSE by every later one         |
 * | of another MinIO                           | REFUSE                                                            |
 *
 * Of all of them, by what MinIO has noted on each (cmd/format-erasure.go):
 *
 * | drives                                     | what happens                                                      |
 * |--------------------------------------------|-------------------------------------------------------------------|
 * | of two deployments, one of them twice      | REFUSE                                                            |
 * | of a set with another number of drives     | REFUSE: MinIO cannot change it                                    |
 * | in another order                           | REFUSE, with the right one                                        |
 * | some empty, at least half of this set      | MinIO formats and heals the empty ones                            |
 * | fewer than half, or none, of what was      | REFUSE: disks are not mounted, or objects are still on volumes    |
 * | none of a pool that was not deployed yet   | MinIO formats it                                                  |
 * | several on one disk, or on the system's    | a warning                                                         |
 * | of different sizes                         | a warning; for a new set REFUSE from double the size on           |
 */
import { z } from 'zod';
import type { DrivesSetting } from '../../../config/environment';
import { SERVICE_UID } from '../../../config/docker/service-user';
import { UsageError } from '../../lib/errors';

/** What MinIO notes on a drive: of which deployment it is, and which of its drives. */
const minioFormat = z.object({
  id: z.string(),
  format: z.string(),
  xl: z.object({ this: z.string(), sets: z.array(z.array(z.string())) }),
});

/** A folder as the Docker host has it. */
export interface SeenFolder {
  readonly isFolder: boolean;
  readonly uid: number;
  readonly mode: number;
  /** Something in it that is not MinIO's. */
  readonly stranger?: string | undefined;
  /** MinIO's note. */
  readonly format?: string | undefined;
}

/** How large the disk of a folder is, where this machine can say it. */
export interface Disk {
  readonly device: number;
  readonly bytes: number;
}

export interface DriveFacts {
  readonly folder: string;
  readonly adopt: boolean;
  /** With several hosts: the one that it is on, and its place in `minio.drives`. */
  readonly on?: { readonly host: string; readonly index: number };
  /** Whether that host does not answer, so that nothing is known of it. */
  readonly away?: boolean;
  /** Absent: it does not exist. */
  readonly seen?: SeenFolder | undefined;
  readonly disk?: Disk | undefined;
}

/** What is known of the deployment. */
export interface KnownDeployment {
  /** MinIO's ids of its data; empty where there is none yet, or none is known. */
  readonly ids: ReadonlySet<string>;
  /** Folders of it in which there is data, whatever its id. */
  readonly folders: ReadonlySet<string>;
  /** What has its objects, in words; absent before the first deploy. */
  readonly objectsOn?: string | undefined;
  /** Whether the drives are those of a pool that was not deployed yet. */
  readonly isNewPool?: boolean;
  /** Device of the root folder of the Docker host, where this machine can say it. */
  readonly systemDevice?: number | undefined;
}

/** What the folders are that an environment declares. */
export function declaredFolders(drives: DrivesSetting): { readonly folder: string; readonly adopt: boolean }[] {
  if (typeof drives === 'number') return [];
  return drives.map((drive) =>
    typeof drive === 'string' ? { folder: drive, adopt: false } : { folder: drive.path, adopt: drive.adopt },
  );
}

/** What in a folder is no reason to refuse it: MinIO's own, and what mkfs leaves. */
export const isExpected = (name: string): boolean => name === '.minio.sys' || name === 'lost+found';

/**
 * @returns what deserves a warning
 * @throws UsageError that names everything that is wrong
 */
export function judgeDrives(drives: readonly DriveFacts[], known: KnownDeployment): string[] {
  refuse(drives.flatMap(folderProblems));
  const formats = drives.map(formatOf);
  refuse([...ownershipProblems(drives, formats, known), ...setProblems(drives, formats, known)]);
  return [
    ...healingNotes(drives, formats),
    ...diskNotes(
      drives,
      known,
      formats.every((format) => format === undefined),
    ),
  ];
}

interface Problem {
  readonly said: string;
  readonly fix: string;
}
type Format = z.infer<typeof minioFormat>;

function refuse(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const fixes = [...new Set(problems.map(({ fix }) => fix))];
  throw new UsageError(problems.map(({ said }) => said).join('\n'), `${fixes.join('\n')}\nNothing was changed.`);
}

const setting = ({ folder, on }: DriveFacts, index: number): string =>
  `minio.drives[${on?.index ?? index}]: ${folder}${on === undefined ? '' : ` on host ${on.host}`}`;

function folderProblems(drive: DriveFacts, index: number): Problem[] {
  const { folder, seen } = drive;
  if (drive.away === true) return [];
  const at = setting(drive, index);
  const owner = `${SERVICE_UID}:${SERVICE_UID}`;
  if (seen === undefined) {
    const fix = `install -d -o ${SERVICE_UID} -g ${SERVICE_UID} -m 700 ${folder}`;
    return [{ said: `${at} does not exist on the Docker host`, fix: `mount its disk, then: ${fix}` }];
  }
  if (!seen.isFolder) return [{ said: `${at} is no folder`, fix: 'name the folder at which a disk is mounted' }];
  if (seen.format === undefined && seen.stranger !== undefined) {
    const fix = 'name an empty folder: MinIO takes every folder on a drive for a bucket';
    return [{ said: `${at} holds ${seen.stranger}, which is not MinIO’s`, fix }];
  }
  if (seen.uid !== SERVICE_UID) {
    const chown = seen.format === undefined ? 'chown' : 'chown -R';
    const said = `${at} belongs to user ${seen.uid}, and MinIO runs as user ${SERVICE_UID}`;
    return [{ said, fix: `${chown} ${owner} ${folder}` }];
  }
  if ((seen.mode & 0o700) !== 0o700) {
    const mode = (seen.mode & 0o777).toString(8).padStart(3, '0');
    return [
      { said: `${at} has mode 0${mode}, and its owner must read, write and enter it`, fix: `chmod 700 ${folder}` },
    ];
  }
  return [];
}

function formatOf(drive: DriveFacts, index: number): Format | undefined {
  if (drive.seen?.format === undefined) return undefined;
  try {
    return minioFormat.parse(JSON.parse(drive.seen.format));
  } catch {
    const said = `${setting(drive, index)}/.minio.sys/format.json is not as MinIO writes it`;
    refuse([{ said, fix: 'empty the folder, and MinIO heals the drive from the others' }]);
    return undefined;
  }
}

/** Whose drives they are. */
function ownershipProblems(
  drives: readonly DriveFacts[],
  formats: readonly (Format | undefined)[],
  { ids, folders, objectsOn }: KnownDeployment,
): Problem[] {
  return drives.flatMap((drive, index) => {
    const { folder, adopt } = drive;
    const id = formats[index]?.id;
    if (id === undefined || ids.has(id) || (ids.size === 0 && folders.has(folder))) return [];
    const said = `${setting(drive, index)} holds data of MinIO ${id}, which is not that of this environment`;
    if (objectsOn !== undefined) {
      return [{ said, fix: `mount the disks with its own objects, which are on the ${objectsOn}` }];
    }
    const fix =
      'if it is what this environment had, its state is lost: ./scripts/restore brings it back. To take over a MinIO that ' +
      'has been stopped, write {path: …, adopt: true} for each: docs/drives.md';
    return adopt ? [] : [{ said, fix }];
  });
}

/** Whether MinIO can start with them. */
function setProblems(
  drives: readonly DriveFacts[],
  formats: readonly (Format | undefined)[],
  { objectsOn, isNewPool = false }: KnownDeployment,
): Problem[] {
  const present = formats.flatMap((format, index) => (format === undefined ? [] : [{ format, index }]));
  const [first] = present;
  const total = drives.length;
  if (first === undefined) {
    if (objectsOn === undefined || isNewPool) return [];
    const hosts = [...new Set(drives.flatMap(({ on }) => on?.host ?? []))];
    const where = hosts.length === 0 ? '' : ` on ${hosts.join(', ')}`;
    const said = `the folders of minio.drives${where} are empty, and this environment has its objects on the ${objectsOn}`;
    return [
      {
        said,
        fix: 'mount the disks, or copy the objects: docs/drives.md',
      },
    ];
  }
  const at = (index: number): string => (drives[index] === undefined ? '' : setting(drives[index], index));
  const other = present.find(({ format }) => format.id !== first.format.id);
  if (other !== undefined) {
    const said = `${at(other.index)} is of MinIO ${other.format.id}, and ${at(first.index)} of ${first.format.id}`;
    return [{ said, fix: 'mount the drives of one deployment, or empty the one that does not belong to it' }];
  }
  const { sets } = first.format.xl;
  const members = sets.flat();
  const single = first.format.format === 'xl-single';
  const ofHosts = drives.some(({ on }) => on !== undefined);
  // only the drives of several hosts may be several sets
  if (members.length !== total || (sets.length !== 1 && !ofHosts) || single !== (total === 1)) {
    const was = single
      ? 'a single drive'
      : `one of ${members.length} drives${sets.length > 1 ? ` in ${sets.length} sets` : ''}`;
    const said = `${at(first.index)} is ${was}, and minio.drives names ${total}: MinIO cannot change the number`;
    return [{ said, fix: 'name its drives as they were, or copy the objects to new ones: docs/drives.md' }];
  }
  const twin = present.find(({ format, index }) =>
    present.some((one) => one.index < index && one.format.xl.this === format.xl.this),
  );
  if (twin !== undefined) {
    const said = `${at(twin.index)} is a copy of another drive of the list`;
    return [{ said, fix: 'mount each disk once, or empty the copy, and MinIO heals it' }];
  }
  const moved = present.find(({ format, index }) => members[index] !== format.xl.this);
  if (moved !== undefined && ofHosts) {
    const said = `${at(moved.index)} is another drive of MinIO, which cannot change their order`;
    return [{ said, fix: 'mount each disk where it was' }];
  }
  if (moved !== undefined) {
    const right = members.map((id) => {
      const found = present.find(({ format }) => format.xl.this === id);
      return found === undefined ? '(empty)' : (drives[found.index]?.folder ?? '');
    });
    const said = `minio.drives has the drives in another order than MinIO, which cannot change it`;
    return [{ said, fix: `write them in this order: ${right.join(', ')}` }];
  }
  const seen = drives.filter(({ away = false }) => !away).length;
  if (present.length < seen / 2) {
    const said = `only ${present.length} of ${seen} folders of minio.drives hold data, and MinIO needs half of them to start`;
    return [{ said, fix: 'mount the other disks' }];
  }
  return [];
}

function healingNotes(drives: readonly DriveFacts[], formats: readonly (Format | undefined)[]): string[] {
  if (formats.every((format) => format === undefined)) return [];
  return drives.flatMap((drive, index) =>
    formats[index] === undefined && drive.away !== true
      ? [`${setting(drive, index)} is empty: MinIO heals it from the other drives`]
      : [],
  );
}

/** Two drives on one disk are lost together. */
function diskNotes(drives: readonly DriveFacts[], { systemDevice }: KnownDeployment, isNew: boolean): string[] {
  const measured = drives.flatMap(({ folder, disk }) => (disk === undefined ? [] : [{ folder, ...disk }]));
  const notes: string[] = [];
  for (const device of new Set(measured.map((drive) => drive.device))) {
    const on = measured.filter((drive) => drive.device === device).map(({ folder }) => folder);
    const system = device === systemDevice ? ', which is the disk of the system' : '';
    if (on.length > 1)
      notes.push(`WARNING: minio.drives: ${on.join(', ')} are on one disk${system}, and are lost together`);
    else if (system !== '')
      notes.push(`WARNING: minio.drives: ${on.join('')} is on the disk of the system: is its own mounted?`);
  }
  const sizes = measured.map(({ bytes }) => bytes).sort((a, b) => a - b);
  const [least = 0, most = 0] = [sizes[0], sizes.at(-1)];
  const smallest = measured.find(({ bytes }) => bytes === least)?.folder ?? '';
  const said = `minio.drives: the disks have ${gigabytes(least)} to ${gigabytes(most)}, and MinIO uses of each as much as the smallest has (${smallest})`;
  if (isNew && most >= 2 * least && measured.length > 1) {
    refuse([{ said, fix: 'name disks of about one size; the number of drives cannot change later' }]);
  }
  if (most > least * SAME_SIZE) notes.push(`WARNING: ${said}`);
  return notes;
}

/** Up to here the difference is that of two disks sold with one size. */
const SAME_SIZE = 1.1;

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
