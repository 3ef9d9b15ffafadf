/** Brings every object back to all drives: what an empty drive lacks, and what was written while one was away. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Drive, type Node, nodesOf, onEachHost, onHost } from '../../../config/node';
import { ExternalError, messageOf, UsageError } from '../../lib/errors';
import type { Step, StepContext } from '../../lib/step';
import { GiveUp, NotYet, waitFor } from '../../lib/wait';
import { forgetAwayDrives, noteAwayDrives } from '../../state/notes/away-drives';
import { requireMinioSecrets } from '../../state/deployed';
import type { LoadedEnvironment } from '../../state/load';
import { type DriveState, type HealItem, HealTakenOver, type MinioAdmin, RefusedByMinio } from '../minio-admin';

/** MinIO looks every 10 s for an empty drive, and every 15 s whether one is back (cmd/erasure-sets.go). */
const RETURN_LIMIT_MS = 40_000;
/** Longer without any progress, and it will not come. */
const STANDSTILL_LIMIT_MS = 600_000;
/** MinIO needs seconds to start; its key store may be on its way as well. */
const RESTART_LIMIT_MS = 180_000;
const POLL_MS = 500;
/** What comes and goes while everything is looked at again and again will not end. */
const MOST_PASSES = 8;
/** So many names are said; the others are counted. */
const MOST_NAMES = 20;

export interface HealResult {
  /** How often everything was looked at. */
  readonly passes: number;
  /** What the last pass looked at: objects, versions, buckets, and what MinIO keeps for itself. */
  readonly looked: number;
  /** What was written anew, in all passes. */
  readonly healed: number;
  /** What could not be healed, each with why. */
  readonly failed: readonly string[];
  /**
   * Of which too few drives held something, so that MinIO removed it: deleted while a drive was away, or since it was
   * listed; or lost on more drives than the parity stands. MinIO does not tell these apart.
   */
  readonly gone: readonly string[];
  /** Drives that are away, each with its state: nothing was healed onto them. */
  readonly away: readonly string[];
}

export type HealScan = 'normal' | 'deep';

interface Healing {
  /** Paths of drives that are away. */
  readonly absent?: readonly string[];
  readonly loaded: LoadedEnvironment;
  readonly admin: Pick<MinioAdmin, 'drives' | 'startHeal' | 'healProgress' | 'stopHeal'>;
  readonly scan: HealScan;
  /** Shortened by unit tests. */
  readonly pollMs?: number;
  readonly returnLimitMs?: number;
}

/**
 * @throws UsageError if there is nothing to heal, or nothing to heal from
 */
export function requireHealable(loaded: LoadedEnvironment): void {
  const { environment } = loaded;
  if (drivesOf(environment).length === 1) {
    throw new UsageError(
      `environment ${environment.name} has one drive, which holds each object once and without parity: there is nothing to heal from`,
      'what is damaged comes back from a copy only; an environment with minio.drives: 4 or more heals itself',
    );
  }
  requireMinioSecrets(loaded);
}

/**
 * The steps of a heal.
 *
 * @param found gets the result of each step that has ended
 */
export function healSteps(healing: Healing, found: (part: Partial<HealResult>) => void): Step[] {
  let absent: readonly string[] = [];
  return [
    {
      title: 'Every drive is there',
      run: async (context) => {
        const { settled, away } = await settledDrives(healing, context);
        absent = away.map(({ path }) => path);
        found({ away: away.map((drive) => describeDrive(healing.loaded, drive)) });
        return `${settled.length - away.length} of ${settled.length}`;
      },
    },
    {
      title: 'Every object is on every drive',
      run: async (context) => {
        const result = await healAll({ ...healing, absent }, context);
        found(result);
        return `${result.looked} looked at, ${result.healed} healed`;
      },
    },
  ];
}

/** `drive 3 (/mnt/disk3) is offline`: as people know it, and as MinIO sees it. */
export function describeDrive({ environment }: Pick<LoadedEnvironment, 'environment'>, drive: DriveState): string {
  return `${driveName(environment, drive.path)} is ${drive.state}`;
}

/** How people know a drive: where it is on the host. */
export function driveName(environment: LoadedEnvironment['environment'], path: string): string {
  const found = drivesOf(environment).find(({ endpoint }) => endpoint === path);
  if (found === undefined) return `drive ${path}`;
  const { drive, node } = found;
  return `drive ${drive.path}${onHost(node)} (${drive.kind} ${drive.source})`;
}

/** Every declared drive, with how MinIO calls it: by its path, and with several hosts by the address of its node as well. */
export function drivesOf(
  environment: LoadedEnvironment['environment'],
): readonly { readonly node: Node; readonly drive: Drive; readonly endpoint: string }[] {
  return nodesOf(environment).flatMap((node) =>
    node.minio.drives.map((drive) => ({
      node,
      drive,
      endpoint: node.host === undefined ? drive.path : `${node.minio.url}${drive.path}`,
    })),
  );
}

/** Waits until MinIO has formatted and filled what is empty, and found what comes back. Not for one that stays away. */
async function settledDrives(
  { loaded, admin, pollMs = POLL_MS, returnLimitMs = RETURN_LIMIT_MS }: Healing,
  { report, signal }: StepContext,
): Promise<{ readonly settled: readonly DriveState[]; readonly away: readonly DriveState[] }> {
  let returnEnd = performance.now() + returnLimitMs;
  let moved = { at: performance.now(), seen: '' };
  for (;;) {
    signal.throwIfAborted();
    const drives = await patiently(signal, async () => admin.drives());
    const away = drives.filter(({ state }) => state !== 'ok');
    const healing = drives.filter((drive) => drive.healing !== undefined);
    noteAwayDrives(
      loaded.state,
      [...away, ...healing].map(({ path }) => path),
    );
    if (healing.length === 0 && (away.length === 0 || performance.now() >= returnEnd)) return { settled: drives, away };
    const seen = [
      ...away.map((drive) => describeDrive(loaded, drive)),
      ...healing.map((drive) => describeHealing(loaded, drive)),
    ].join('; ');
    report(seen);
    if (seen !== moved.seen) moved = { at: performance.now(), seen };
    // one that is being filled says that the others are not forgotten
    if (healing.length > 0) returnEnd = performance.now() + returnLimitMs;
    if (performance.now() - moved.at > STANDSTILL_LIMIT_MS) {
      throw new ExternalError(
        `MinIO has not healed anything for ${STANDSTILL_LIMIT_MS / 60_000} min; last seen: ${seen}`,
        `${logsOf(loaded)} says what it waits for`,
      );
    }
    await pause(pollMs, signal);
  }
}

/** `drive 3 (…) is being healed by MinIO: 20 of about 400 objects`. */
export function describeHealing({ environment }: Pick<LoadedEnvironment, 'environment'>, drive: DriveState): string {
  const { done, total } = drive.healing ?? { done: 0, total: 0 };
  const of = total > 0 ? ` of about ${total}` : '';
  return `${driveName(environment, drive.path)} is being healed by MinIO: ${done}${of} objects`;
}

/** Looks at everything until a pass finds nothing that it can heal. */
async function healAll(healing: Healing, context: StepContext): Promise<Omit<HealResult, 'away'>> {
  let healed = 0;
  const gone = new Set<string>();
  for (let passes = 1; ; passes += 1) {
    const startedAt = new Date();
    const pass = await healOnce(
      healing,
      (looked) => {
        context.report(`${looked} looked at, ${healed} healed${passes === 1 ? '' : `, pass ${passes}`}`);
      },
      context.signal,
    );
    healed += pass.healed;
    for (const name of pass.gone) gone.add(name);
    if (pass.healed === 0) {
      await forgetHealed(healing, startedAt);
      return { passes, looked: pass.looked, healed, failed: pass.failed, gone: [...gone] };
    }
    if (passes === MOST_PASSES) {
      throw new ExternalError(
        `after ${passes} passes MinIO still finds what drives lack: ${pass.healed} in the last one`,
        'a drive that comes and goes lacks more each time: ./scripts/check names it',
      );
    }
  }
}

/** Drives that are there lack nothing any more. */
async function forgetHealed({ loaded, admin }: Healing, healedSince: Date): Promise<void> {
  const drives = await admin.drives();
  const whole = drives.filter(({ state, healing }) => state === 'ok' && healing === undefined);
  forgetAwayDrives(
    loaded.state,
    whole.map(({ path }) => path),
    healedSince,
  );
}

type Pass = Pick<HealResult, 'looked' | 'healed' | 'failed' | 'gone'>;

async function healOnce(healing: Healing, report: (looked: number) => void, signal: AbortSignal): Promise<Pass> {
  const { admin, scan, pollMs = POLL_MS } = healing;
  const token = await patiently(signal, async () => admin.startHeal(scan));
  const tally = new Tally(healing.loaded, healing.absent);
  let movedAt = performance.now();
  try {
    for (;;) {
      const { state, detail, items } = await patiently(signal, async () => admin.healProgress(token));
      if (state === 'forgotten') return await healOnce(healing, report, signal);
      tally.add(items);
      report(tally.looked);
      if (state === 'failed') throw new ExternalError(`MinIO gave up healing: ${detail}`, 'run it again');
      if (state === 'ended') return tally;
      if (items.length > 0) movedAt = performance.now();
      if (performance.now() - movedAt > STANDSTILL_LIMIT_MS) {
        throw new ExternalError(
          `MinIO has not looked at anything for ${STANDSTILL_LIMIT_MS / 60_000} min; last seen: ${tally.last}`,
          `${logsOf(healing.loaded)} says what it waits for; then run it again`,
        );
      }
      await pause(pollMs, signal);
    }
  } catch (error) {
    if (signal.aborted) await admin.stopHeal().catch(() => undefined);
    throw error;
  }
}

/** Counts what MinIO says of each item. */
export class Tally {
  looked = 0;
  healed = 0;
  readonly failed: string[] = [];
  readonly gone: string[] = [];
  /** Name of the last item. */
  last = 'nothing';
  private readonly loaded: Pick<LoadedEnvironment, 'environment'>;
  private readonly absent: readonly string[];

  /** @param absent drives that are away: that they lack something is no news */
  constructor(loaded: Pick<LoadedEnvironment, 'environment'>, absent: readonly string[] = []) {
    this.loaded = loaded;
    this.absent = absent;
  }

  add(items: readonly HealItem[]): void {
    for (const item of items) {
      this.looked += 1;
      this.last = nameOf(item);
      const before = item.before.drives ?? [];
      const after = item.after.drives ?? [];
      if (after.some(({ state }, index) => state === 'ok' && before[index]?.state !== 'ok')) this.healed += 1;
      if (after.length === 0 && item.detail.includes('not found')) this.gone.push(this.last);
      else if (item.detail !== '') this.failed.push(`${this.last}: ${item.detail}`);
      else {
        const lacking = after.filter(
          ({ endpoint, state }) => LACKING.includes(state) && !this.absent.includes(endpoint),
        );
        const where = lacking.map(
          ({ endpoint, state }) => `${state} on ${driveName(this.loaded.environment, endpoint)}`,
        );
        if (where.length > 0) this.failed.push(`${this.last}: still ${where.join(', ')}`);
      }
    }
  }
}

/** States of an object on a drive that is there. */
const LACKING: readonly string[] = ['missing', 'corrupt'];

function nameOf({ bucket, object, versionId }: HealItem): string {
  const name = object === '' ? bucket : `${bucket}/${object}`;
  return versionId === '' || versionId === 'null' ? name : `${name} (version ${versionId})`;
}

/** The first names, and how many more there are. */
export function someOf(names: readonly string[]): string[] {
  const more = names.length - MOST_NAMES;
  return more > 0 ? [...names.slice(0, MOST_NAMES), `… and ${more} more`] : [...names];
}

/** Asks again while MinIO starts anew, as a deploy may have it do in the middle of a long heal. */
async function patiently<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  return waitFor({ what: 'MinIO to answer', timeoutMs: RESTART_LIMIT_MS, intervalMs: POLL_MS }, async () => {
    if (signal.aborted) throw new GiveUp(signal.reason as Error);
    try {
      return await ask();
    } catch (error) {
      // 503: it has not loaded its storage yet
      if (error instanceof HealTakenOver || (error instanceof RefusedByMinio && error.status !== 503)) {
        throw new GiveUp(error);
      }
      return new NotYet(messageOf(error));
    }
  });
}

const logsOf = ({ environment }: Pick<LoadedEnvironment, 'environment'>): string =>
  `\`docker logs ${nodesOf(environment)[0].minio.container}\`${onEachHost(environment)}`;

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal });
}
