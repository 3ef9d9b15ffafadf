/**
 * Whether objects are on as many drives as they should be. MinIO goes on without a drive, and reports it nowhere. When one
 * is back, this check has everything looked at that was written meanwhile: docs/adr/0052-what-a-drive-missed.md.
 */
import { SERVICE_UID } from '../../../config/docker/service-user';
import { drivesToSpare, parityOf, setSize } from '../../../config/minio/parity';
import { nodesOf, onHost, poolsOf } from '../../../config/node';
import { lockHolder } from '../../lib/lock';
import { NotYet, waitFor } from '../../lib/wait';
import { describeDrive, describeHealing, driveName, drivesOf } from '../../minio/drives/heal';
import { type DriveState, openAdmin, RefusedByMinio } from '../../minio/minio-admin';
import { startHeal } from '../../minio/drives/start-heal';
import { noteAwayDrives, readAwayDrives, wereReplaced } from '../../state/notes/away-drives';
import type { LoadedEnvironment } from '../../state/load';
import { CheckFailure, type Evidence, type ServiceCheck, ServiceDown } from '../check';

/** A heal of what a small deployment missed ends within it; a check waits no longer. */
const HEAL_LIMIT_MS = 20_000;

const drivesOnline: ServiceCheck = {
  from: 'deployment',
  needs: 'minio',
  first: true,
  id: 'drives-online',
  title: 'Every drive is there, and holds all that it should',
  proves:
    'MinIO reaches each declared drive and is not filling one anew; and all objects were looked at since a drive was last seen away.',
  doesNotProve:
    'That no drive went and came back between two runs, unseen: `./scripts/heal` looks at everything. That what was written while a deploy of several hosts replaced MinIO is on every drive, while the heal that it starts goes on. That nothing on a drive is spoiled: `./scripts/heal --deep` reads it.',
  severity: 'high',
  run: async ({ loaded }) => {
    const drives = await seenDrives(loaded);
    const evidence = judgeDrives(loaded, drives);
    const missed = Object.keys(readAwayDrives(loaded.state));
    return missed.length === 0 ? evidence : { ...evidence, healed: await haveHealed(loaded, missed, evidence) };
  },
};

/** In the order in which they are reported. */
export const driveChecks: readonly ServiceCheck[] = [drivesOnline];

async function seenDrives(loaded: LoadedEnvironment): Promise<DriveState[]> {
  const admin = openAdmin(loaded);
  try {
    return await admin.drives();
  } catch (error) {
    if (!(error instanceof RefusedByMinio) || error.status !== 503) throw error;
    throw new Error(
      'MinIO has not loaded its storage: it waits for enough of its drives, or for KES (kms-ready); see `docker logs` of MinIO',
      { cause: error },
    );
  }
}

/**
 * Notes each drive that is away, or is being filled.
 *
 * @throws ServiceDown if so many are away that MinIO writes no more; CheckFailure if any is
 */
export function judgeDrives(
  loaded: Pick<LoadedEnvironment, 'environment' | 'state' | 'argument'>,
  drives: readonly DriveState[],
): Evidence {
  const { environment, argument, state } = loaded;
  const declared = drivesOf(environment).map(({ endpoint }) => endpoint);
  const unknown = declared
    .filter((path) => !drives.some((drive) => drive.path === path))
    .map((path): DriveState => ({ path, state: 'unknown to MinIO', totalBytes: 0, freeBytes: 0 }));
  const all = [...drives, ...unknown];
  const evidence = {
    drives: Object.fromEntries(
      all.map((drive) => [drive.path, drive.healing === undefined ? drive.state : 'is being healed by MinIO']),
    ),
  };
  const away = all.filter((drive) => drive.state !== 'ok');
  const healing = all.filter((drive) => drive.state === 'ok' && drive.healing !== undefined);
  noteAwayDrives(
    state,
    [...away, ...healing].map(({ path }) => path),
  );
  const problems = [
    ...away.map((drive) => describeDrive(loaded, drive)),
    ...healing.map((drive) => describeHealing(loaded, drive)),
  ];
  if (problems.length === 0) return evidence;
  const heal = `./scripts/heal ${argument}`;
  const fixes = [
    ...new Set(away.map((drive) => mending(loaded, drive))),
    declared.length === 1
      ? `\`docker logs ${nodesOf(environment)[0].minio.container}\` says more`
      : `then ${heal}, which ends when all is on all drives`,
  ];
  const fix = fixes.join('; ');
  const left = leftOfPools(environment, all);
  const tooFew = left.filter(({ there, needed }) => there < needed);
  if (tooFew.length > 0) {
    const said = tooFew.map(
      ({ name, there, drives: of, needed }) =>
        `${name} writes no more: ${there} of ${of} drives are there, and it needs ${needed}`,
    );
    throw new ServiceDown('minio', [...said, ...problems].join('; '), fix, evidence);
  }
  // where there are several erasure sets it matters which drives are away
  const [only, ...others] = left;
  const said = away.length > 0 && only?.sets === 1 && others.length === 0 ? [goesOn(only.there - only.needed)] : [];
  throw new CheckFailure([...problems, ...said].join('; '), fix, evidence);
}

const goesOn = (more: number): string =>
  more === 0 ? 'MinIO goes on, until another one goes' : `MinIO goes on, and ${more} more may go`;

/** How many drives of each pool are there, and with how many it goes on writing. */
function leftOfPools(environment: LoadedEnvironment['environment'], all: readonly DriveState[]) {
  const { minio } = environment;
  const pools = poolsOf(environment);
  const parity = parityOf(minio, pools[0]);
  const poolOf = new Map(drivesOf(environment).map(({ endpoint, node }) => [endpoint, node.pool]));
  return pools.map((hosts, index) => {
    const own = all.filter(({ path }) => (poolOf.get(path) ?? 1) === index + 1);
    const sets = Math.max(1, Math.round(own.length / (setSize(minio, hosts) ?? own.length)));
    return {
      name: pools.length === 1 ? 'MinIO' : `pool ${index + 1} of MinIO`,
      sets,
      drives: own.length,
      there: own.filter(({ state }) => state === 'ok').length,
      needed: own.length - drivesToSpare({ ...minio, parity }, hosts) * sets,
    };
  });
}

/** What to do about a drive, as it was tried: docs/adr/0052-what-a-drive-missed.md. */
function mending(
  { environment, argument }: Pick<LoadedEnvironment, 'environment' | 'argument'>,
  drive: DriveState,
): string {
  const found = drivesOf(environment).find(({ endpoint }) => endpoint === drive.path);
  const { minio } = found?.node ?? nodesOf(environment)[0];
  const where = found === undefined ? '' : onHost(found.node);
  const { kind, source } = found?.drive ?? { kind: 'folder', source: drive.path };
  const isVolume = kind === 'volume';
  const folder = isVolume ? `"$(docker volume inspect -f '{{.Mountpoint}}' ${source})"` : source;
  const owner = `\`sudo install -d -o ${SERVICE_UID} -g ${SERVICE_UID} -m 700 ${folder}\``;
  if (drive.state === 'unformatted')
    return `MinIO formats and fills an empty drive by itself, within half a minute: wait`;
  if (drive.state === 'permission-denied') return `${owner}${where}: MinIO takes it back within half a minute`;
  if (drive.state === 'unknown to MinIO')
    return `\`docker rm -f ${minio.container}\`${where}, then ./scripts/up ${argument}`;
  if (drive.state === 'corrupt' || drive.state.includes('inconsistent')) {
    return `its format.json is damaged, or of another drive: put the right disk there; or empty this one, \`sudo find ${folder} -mindepth 1 -delete\`, and MinIO fills it from the others`;
  }
  return isVolume
    ? `see \`docker logs ${minio.container}\`${where}; if the volume is lost: \`docker rm -f ${minio.container} && docker volume rm ${source}\`, then ./scripts/up ${argument} makes an empty one`
    : `replace the disk, mount it on ${folder}, ${owner}, \`docker restart ${minio.container}\`${where}, which sees disks as they were when it started`;
}

/**
 * Has everything looked at, since drives missed what was written while they were away.
 *
 * @throws CheckFailure if that has not ended after a while, and it was not a deploy that replaced MinIO; it goes on
 */
async function haveHealed(loaded: LoadedEnvironment, missed: readonly string[], evidence: Evidence): Promise<string> {
  if ((await lockHolder(loaded.state.healLock)) === undefined) startHeal(loaded);
  const replaced = wereReplaced(loaded.state, missed);
  const names = missed.map((path) => driveName(loaded.environment, path)).join(', ');
  try {
    return await waitFor({ what: 'the heal', timeoutMs: HEAL_LIMIT_MS }, async () => {
      const left = Object.keys(readAwayDrives(loaded.state));
      return Promise.resolve(
        left.length === 0 ? `${names}: what was written while it was away` : new NotYet(left.join(', ')),
      );
    });
  } catch {
    if (replaced) return `${names}: under way, of what was written while MinIO was replaced`;
    throw new CheckFailure(
      `${names} was away and is back, and lacks what was written meanwhile: a heal is under way`,
      `./scripts/heal ${loaded.argument} waits for it; what it says is in ${loaded.state.healLog}`,
      evidence,
    );
  }
}
