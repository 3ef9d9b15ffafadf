import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { healSteps, requireHealable, type HealResult, someOf, Tally } from '../../../../operations/minio/drives/heal';
import {
  type DriveState,
  type HealItem,
  type HealProgress,
  HealTakenOver,
  RefusedByMinio,
} from '../../../../operations/minio/minio-admin';
import { noteAwayDrives, readAwayDrives } from '../../../../operations/state/notes/away-drives';
import type { LoadedEnvironment } from '../../../../operations/state/load';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';
import { loaded } from '../../checks/fakes';

const folder = useTemporaryFolder();
const FOUR = 'name: test\nminio: { drives: 4 }';
const PATHS = ['/drives/1', '/drives/2', '/drives/3', '/drives/4'];

const drive = (path: string, rest: Partial<DriveState> = {}): DriveState => ({
  path,
  state: 'ok',
  totalBytes: 1e9,
  freeBytes: 5e8,
  ...rest,
});
const ALL = PATHS.map((path) => drive(path));

function item(name: string, before: string, after: string, detail = ''): HealItem {
  const [bucket = '', ...object] = name.split('/');
  const states = (third: string) => ({
    drives: PATHS.map((endpoint, index) => ({ endpoint, state: index === 2 ? third : 'ok' })),
  });
  return { bucket, object: object.join('/'), versionId: '', detail, before: states(before), after: states(after) };
}
const whole = item('backup/whole', 'ok', 'ok');
const missed = item('backup/missed', 'missing', 'ok');

const ended = (...items: HealItem[]): HealProgress => ({ state: 'ended', detail: '', items });

interface Script {
  readonly returnLimitMs?: number;
  /** What MinIO says of its drives, one after the other; the last one again and again. */
  readonly drives?: readonly (readonly DriveState[])[];
  /** What it says of the heal, one after the other. */
  readonly progress: readonly (HealProgress | Error)[];
}

/** Heals with a MinIO that says what it is told to. */
async function heal(
  environment: LoadedEnvironment,
  { drives = [ALL], progress, returnLimitMs = 10_000 }: Script,
  signal = new AbortController().signal,
) {
  const said = [...drives];
  const left = [...progress];
  const reported: string[] = [];
  const calls: string[] = [];
  let result: Partial<HealResult> = {};
  const admin = {
    drives: async () => Promise.resolve([...((said.length > 1 ? said.shift() : said[0]) ?? [])]),
    startHeal: async (scan: string) => {
      calls.push(`start ${scan}`);
      return Promise.resolve('token');
    },
    healProgress: async () => {
      const next = left.shift();
      return next instanceof Error || next === undefined
        ? Promise.reject(next ?? new HealTakenOver())
        : Promise.resolve(next);
    },
    stopHeal: async () => {
      calls.push('stop');
      return Promise.resolve();
    },
  };
  const steps = healSteps(
    { loaded: environment, admin, scan: 'normal', pollMs: 1, returnLimitMs },
    (part) => (result = { ...result, ...part }),
  );
  const remarks: (string | undefined)[] = [];
  for (const step of steps) {
    remarks.push(await step.run({ signal, report: (text) => reported.push(text), announce: () => undefined }));
  }
  return { result, remarks, reported, calls };
}

test('looks at everything once when nothing is missing', async () => {
  const { result, remarks, calls } = await heal(loaded(folder(), FOUR), { progress: [ended(whole, whole)] });
  expect(result).toEqual({ passes: 1, looked: 2, healed: 0, failed: [], gone: [], away: [] });
  expect(remarks).toEqual(['4 of 4', '2 looked at, 0 healed']);
  expect(calls).toEqual(['start normal']);
});

test('looks again until a pass heals nothing, and then forgets which drives were away', async () => {
  const environment = loaded(folder(), FOUR);
  noteAwayDrives(environment.state, ['/drives/3'], new Date('2026-01-31T12:00:00Z'));
  const { result } = await heal(environment, {
    progress: [{ state: 'running', detail: '', items: [missed] }, ended(whole), ended(whole, whole)],
  });
  expect(result).toMatchObject({ passes: 2, looked: 2, healed: 1, failed: [] });
  expect(readAwayDrives(environment.state)).toEqual({});
});

test('waits for a drive that MinIO fills, and says how far it is', async () => {
  const filling = ALL.with(2, drive('/drives/3', { healing: { done: 20, total: 400 } }));
  const environment = loaded(folder(), FOUR);
  const { reported, remarks } = await heal(environment, {
    drives: [ALL.with(2, drive('/drives/3', { state: 'unformatted' })), filling, ALL],
    progress: [ended(whole)],
  });
  expect(reported.slice(0, 2)).toEqual([
    'drive /drives/3 (volume ebs-test-minio-data-3) is unformatted',
    'drive /drives/3 (volume ebs-test-minio-data-3) is being healed by MinIO: 20 of about 400 objects',
  ]);
  expect(remarks[0]).toBe('4 of 4');
});

test('a drive that stays away is named, and the others are healed', async () => {
  const environment = loaded(folder(), FOUR);
  const { result, remarks } = await heal(environment, {
    returnLimitMs: 20,
    drives: [ALL.with(2, drive('/drives/3', { state: 'offline' }))],
    progress: [ended(item('backup', 'missing', 'missing'))],
  });
  expect(remarks[0]).toBe('3 of 4');
  expect(result).toMatchObject({
    away: ['drive /drives/3 (volume ebs-test-minio-data-3) is offline'],
    // that it lacks something is no news
    failed: [],
  });
  expect(Object.keys(readAwayDrives(environment.state))).toEqual(['/drives/3']);
});

test('begins again where MinIO was restarted and knows of no heal', async () => {
  const { result, calls } = await heal(loaded(folder(), FOUR), {
    progress: [{ state: 'forgotten', detail: '', items: [] }, ended(whole)],
  });
  expect(calls).toEqual(['start normal', 'start normal']);
  expect(result).toMatchObject({ looked: 1, passes: 1 });
});

test('asks again while MinIO starts', async () => {
  const { result } = await heal(loaded(folder(), FOUR), {
    progress: [new RefusedByMinio('HTTP 503', 503), new Error('ECONNREFUSED'), ended(whole)],
  });
  expect(result).toMatchObject({ looked: 1 });
});

test('a heal that another one ended says so at once', async () => {
  const error = await rejectionOf(heal(loaded(folder(), FOUR), { progress: [new HealTakenOver()] }));
  expect(error.message).toBe('another heal has begun, which ended this one');
});

test('MinIO may give up, and says why', async () => {
  const progress = [{ state: 'failed', detail: 'listAndHeal: No non-healing drives found', items: [] }] as const;
  const error = await rejectionOf(heal(loaded(folder(), FOUR), { progress }));
  expect(error.message).toBe('MinIO gave up healing: listAndHeal: No non-healing drives found');
});

test('what is found missing again and again ends the heal', async () => {
  const error = await rejectionOf(
    heal(loaded(folder(), FOUR), { progress: Array.from({ length: 9 }, () => ended(missed)) }),
  );
  expect(error.message).toBe('after 8 passes MinIO still finds what drives lack: 1 in the last one');
});

test('an interruption ends the heal of MinIO, too', async () => {
  const interruption = new AbortController();
  const calls = heal(
    loaded(folder(), FOUR),
    { progress: Array.from({ length: 1000 }, () => ({ state: 'running', detail: '', items: [whole] }) as const) },
    interruption.signal,
  );
  setTimeout(() => {
    interruption.abort(new Error('interrupted by SIGINT'));
  }, 20);
  await rejectionOf(calls);
  expect(interruption.signal.aborted).toBe(true);
});

describe('what MinIO says of an item', () => {
  const tallyOf = (...items: HealItem[]): Tally => {
    const tally = new Tally(loaded(folder(), FOUR));
    tally.add(items);
    return tally;
  };

  test('it could not heal an object, and why', () => {
    const why = 'Storage resources are insufficient for the read operation backup/f12';
    expect(tallyOf(item('backup/f12', 'corrupt', 'corrupt', why)).failed).toEqual([`backup/f12: ${why}`]);
  });

  test('a drive that is there lacks an object afterwards', () => {
    expect(tallyOf(item('backup/f12', 'missing', 'missing')).failed).toEqual([
      'backup/f12: still missing on drive /drives/3 (volume ebs-test-minio-data-3)',
    ]);
  });

  test('it removed what too few drives held', () => {
    const none = { drives: null };
    const removed = {
      ...item('backup/a', 'ok', 'ok'),
      before: none,
      after: none,
      detail: 'Object not found: backup/a',
    };
    expect(tallyOf({ ...removed, versionId: 'ade7' })).toMatchObject({
      gone: ['backup/a (version ade7)'],
      failed: [],
      healed: 0,
    });
  });
});

describe('requireHealable', () => {
  test('refuses one drive, and says why', async () => {
    const error = await rejectionOf(
      Promise.resolve().then(() => {
        requireHealable(loaded(folder()));
      }),
    );
    expect(error).toMatchObject({
      message:
        'environment test has one drive, which holds each object once and without parity: there is nothing to heal from',
      hint: 'what is damaged comes back from a copy only; an environment with minio.drives: 4 or more heals itself',
    });
  });

  test('refuses what is not deployed; a positive control', async () => {
    const environment = loaded(folder(), FOUR);
    const error = await rejectionOf(
      Promise.resolve().then(() => {
        requireHealable(environment);
      }),
    );
    expect(error.message).toBe('environment test is not deployed');
    mkdirSync(path.dirname(environment.state.secret.minioRoot), { recursive: true });
    writeFileSync(environment.state.secret.minioRoot, '{}');
    expect(() => {
      requireHealable(environment);
    }).not.toThrow();
    expect(existsSync(environment.state.awayDrives)).toBe(false);
  });
});

test('some names are said, and the others counted', () => {
  const names = Array.from({ length: 22 }, (_, index) => `object ${index}`);
  expect(someOf(names.slice(0, 20))).toHaveLength(20);
  expect(someOf(names).at(-1)).toBe('… and 2 more');
});
