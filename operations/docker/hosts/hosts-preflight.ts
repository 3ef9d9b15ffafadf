/**
 * Whether several hosts can be one deployment: asked of every Docker engine at once, before anything is touched.
 *
 * | what is found                                       | what happens                                             |
 * |-----------------------------------------------------|----------------------------------------------------------|
 * | a host does not answer, before the first deploy     | REFUSE: MinIO formats the drives of all hosts together   |
 * | the same, and the command changes every host        | REFUSE                                                   |
 * | the same, and a host is new: that of another pool   | REFUSE                                                   |
 * | the rest of a pool is no majority                   | REFUSE: nothing that is deployed could work              |
 * | otherwise one does not answer                       | it is away: the deploy leaves out what is on it          |
 * | two hosts are one engine, or have changed places    | REFUSE                                                   |
 * | architectures differ                                | REFUSE                                                   |
 * | major versions of Docker differ, and all are needed | REFUSE                                                   |
 * | versions of Docker differ otherwise                 | a warning: hosts are upgraded one after the other        |
 * | clocks are further apart than MinIO stands          | REFUSE; far below, a warning                             |
 * | a host has another engine than it was deployed to   | a warning: what belongs there is made anew               |
 */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { describeEngine, type EngineAddress, resolveEngine } from '../../../config/docker/docker-engine';
import type { Environment } from '../../../config/environment';
import { nodesOf } from '../../../config/node';
import type { StateLayout } from '../../../config/state/layout';
import { dockerEngine } from '../docker';
import { ExternalError, messageOf } from '../../lib/errors';
import type { EngineNote } from '../engine/engine-identity';

/** What the engine of a host says of itself. */
export interface SeenEngine {
  /** `ID` of `docker info`. */
  readonly id: string;
  /** Name of its machine. */
  readonly machine: string;
  readonly version: string;
  readonly architecture: string;
  /** How far its clock is ahead of the one here. */
  readonly aheadMs: number;
}

/** A host as it was met. */
export interface SeenHost {
  readonly name: string;
  /** Its engine in words. */
  readonly engine: string;
  /** What the engine said, or why it said nothing. */
  readonly seen: SeenEngine | { readonly problem: string };
  /** The engine that it was deployed to. @default - it was not deployed yet */
  readonly note?: EngineNote | undefined;
  /** Its pool of MinIO. @default 1 */
  readonly pool?: number;
  /** Whether a Vault of the deployment is there. @default false */
  readonly hasVault?: boolean;
}

export interface JudgedHosts {
  /** Names of the hosts that do not answer, and without which a deploy can go on. */
  readonly away: readonly string[];
  readonly warnings: readonly string[];
}

const ANSWER_LIMIT_MS = 10_000;

/** MinIO refuses requests that were signed further away in time (cmd/globals.go, globalMaxSkewTime). */
const MOST_SKEW_MS = 15 * 60_000;
/** A clock that is kept by NTP is never as far away. */
const NOTABLE_SKEW_MS = 10_000;

interface Info {
  readonly ID?: string;
  readonly Name?: string;
  readonly ServerVersion?: string;
  readonly Architecture?: string;
  readonly SystemTime?: string;
}

const FIRST_DEPLOY = 'a first deploy needs every host: MinIO formats all drives together';

const NEW_POOL = 'a new pool needs every host: MinIO formats its drives together, and all nodes start with it';

/** Why a deploy needs every host; undefined where each was deployed to before. */
export function whyEveryHost(
  { canaries }: Pick<StateLayout, 'canaries'>,
  hosts: readonly Pick<SeenHost, 'note'>[],
): string | undefined {
  if (!existsSync(canaries)) return FIRST_DEPLOY;
  return hosts.some(({ note }) => note === undefined) ? NEW_POOL : undefined;
}

/** Asks an engine who and how it is. */
export async function meetHost(
  {
    name,
    address,
    note,
  }: { readonly name: string; readonly address: EngineAddress; readonly note?: EngineNote | undefined },
  docker: Docker,
  limitMs = ANSWER_LIMIT_MS,
): Promise<SeenHost> {
  const host = { name, engine: describeEngine(address), note };
  const late = new AbortController();
  try {
    const askedAt = Date.now();
    const info = await Promise.race([
      docker.info() as Promise<Info>,
      delay(limitMs, undefined, { signal: late.signal }).then(() => {
        throw new Error(`no answer within ${limitMs / 1000} s`);
      }),
    ]);
    const middle = (askedAt + Date.now()) / 2;
    const { ID: id, Name: machine, ServerVersion: version, Architecture: architecture, SystemTime } = info;
    if (!id || version === undefined || architecture === undefined || SystemTime === undefined) {
      return { ...host, seen: { problem: 'it is no Docker Engine, or older than 20.10' } };
    }
    const aheadMs = Date.parse(SystemTime) - middle;
    return { ...host, seen: { id, machine: machine ?? 'no name', version, architecture, aheadMs } };
  } catch (error) {
    return { ...host, seen: { problem: messageOf(error) } };
  } finally {
    late.abort();
  }
}

/** Asks the engine of every host. @param noteOf what is known of a host from before */
export async function meetHosts(
  environment: Environment,
  noteOf: (host: string) => EngineNote | undefined = () => undefined,
): Promise<SeenHost[]> {
  return Promise.all(
    nodesOf(environment).map(async ({ host, docker, pool, vault }) => {
      const name = host?.name ?? '';
      const address = resolveEngine(docker, process.env);
      return {
        ...(await meetHost({ name, address, note: noteOf(name) }, dockerEngine(docker))),
        pool,
        hasVault: vault !== undefined,
      };
    }),
  );
}

/**
 * Hosts that do not answer a command that takes the environment away: what is on one stays there.
 *
 * @throws ExternalError if everything is to be deleted, and one does not answer
 */
export async function hostsAway(
  environment: Environment,
  deleteData: boolean,
): Promise<{ readonly name: string; readonly line: string }[]> {
  const met = await meetHosts(environment);
  if (deleteData) requireAnswers(met, 'what is on it would stay, without its keys; nothing was changed');
  return silent(met);
}

/**
 * @param hint what comes of a host that is away
 * @throws ExternalError that names every host that does not answer
 */
export function requireAnswers(met: readonly SeenHost[], hint: string): void {
  const away = silent(met);
  if (away.length > 0) throw new ExternalError(away.map(({ line }) => line).join('\n'), hint);
}

const silent = (met: readonly SeenHost[]): { readonly name: string; readonly line: string }[] =>
  met.flatMap(({ name, engine, seen }) =>
    'problem' in seen ? [{ name, line: `host ${name} does not answer (${engine}: ${seen.problem})` }] : [],
  );

/**
 * @param needsAll why no host may be away, see {@link whyEveryHost}; undefined: a minority may
 * @throws ExternalError that names every host with which no deployment can be made, and why
 */
export function judgeHosts(hosts: readonly SeenHost[], needsAll: string | undefined): JudgedHosts {
  const there = hosts.flatMap((host) => ('problem' in host.seen ? [] : [{ ...host, seen: host.seen }]));
  const away = hosts.flatMap((host) => ('problem' in host.seen ? [{ ...host, problem: host.seen.problem }] : []));
  const problems = [
    ...awayProblems(away, hosts, needsAll),
    ...sameEngines(there),
    ...swappedEngines(there, hosts),
    ...differing(there, 'architecture', ({ architecture }) => architecture, 'each image is built for one'),
    ...(needsAll === undefined
      ? []
      : differing(there, 'major version of Docker', majorOf, 'what works on one may not on another')),
    ...clockProblems(there),
  ];
  if (problems.length > 0) {
    throw new ExternalError(
      [`the hosts cannot be one deployment:`, ...problems.map((problem) => `  - ${problem}`)].join('\n'),
      'correct the hosts, or `hosts` in the environment file; nothing was changed',
    );
  }
  return {
    away: away.map(({ name }) => name),
    warnings: [
      ...away.map(
        ({ name, engine, problem }) =>
          `host ${name} is away (${engine}: ${problem}): what is on it is skipped, and deployed when it is back`,
      ),
      ...replacedEngines(there),
      ...versionWarnings(there),
      ...clockWarnings(there),
    ],
  };
}

/** What a host is one of several for. */
type Role = Pick<SeenHost, 'pool' | 'hasVault'>;
type Away = Role & { readonly name: string; readonly engine: string; readonly problem: string };
type There = SeenHost & { readonly seen: SeenEngine };

const poolOf = ({ pool = 1 }: Role): number => pool;

function awayProblems(away: readonly Away[], hosts: readonly Role[], needsAll: string | undefined): string[] {
  return away.flatMap((one) => {
    const said = `host ${one.name} does not answer (${one.engine}: ${one.problem})`;
    if (needsAll !== undefined) return [`${said}, and ${needsAll}`];
    const groups: readonly (readonly [string, (other: Role) => boolean])[] = [
      [' of a pool', (other) => poolOf(other) === poolOf(one)],
      ...(one.hasVault === true ? [[' with a Vault', (other: Role) => other.hasVault === true] as const] : []),
    ];
    const [reason] = groups.flatMap(([which, isIn]) => {
      const count = hosts.filter(isIn).length;
      const most = Math.floor((count - 1) / 2);
      if (away.filter(isIn).length <= most) return [];
      return [`of ${count} hosts${count === hosts.length ? '' : which} no more than ${most} may be away`];
    });
    return reason === undefined ? [] : [`${said}; ${reason}`];
  });
}

function sameEngines(hosts: readonly There[]): string[] {
  return hosts.flatMap(({ name, seen }, index) => {
    const same = hosts.slice(0, index).find((other) => other.seen.id === seen.id);
    return same === undefined
      ? []
      : [
          `hosts ${same.name} and ${name} are one Docker engine (${seen.id}, ${seen.machine}), and would be lost together`,
        ];
  });
}

function swappedEngines(hosts: readonly There[], all: readonly SeenHost[]): string[] {
  return hosts.flatMap(({ name, seen, note }) => {
    const owner = all.find((other) => other.name !== name && other.note?.id === seen.id);
    if (owner === undefined || note?.id === seen.id) return [];
    return [`host ${name} is the Docker engine on which host ${owner.name} was deployed (${seen.id}, ${seen.machine})`];
  });
}

function replacedEngines(hosts: readonly There[]): string[] {
  return hosts.flatMap(({ name, seen, note }) =>
    note === undefined || note.id === seen.id
      ? []
      : [
          `host ${name} has another Docker engine than before (${seen.id}, ${seen.machine}; before ${note.id}, ${note.name}): what belongs there is made anew`,
        ],
  );
}

function differing(
  hosts: readonly There[],
  what: string,
  valueOf: (seen: SeenEngine) => string,
  why: string,
): string[] {
  const values = hosts.map(({ name, seen }) => ({ name, value: valueOf(seen) }));
  if (new Set(values.map(({ value }) => value)).size <= 1) return [];
  return [`the ${what} differs, and ${why}: ${values.map(({ name, value }) => `${name} ${value}`).join(', ')}`];
}

const majorOf = ({ version }: SeenEngine): string => version.split('.')[0] ?? version;

function versionWarnings(hosts: readonly There[]): string[] {
  return differing(hosts, 'version of Docker', ({ version }) => version, 'a change may work on some hosts only');
}

/** The clock that is furthest behind, and the one that is furthest ahead. This machine signs requests, too. */
function clocks(hosts: readonly There[]): {
  readonly behind: string;
  readonly ahead: string;
  readonly apartMs: number;
} {
  const here = { name: 'this machine', aheadMs: 0 };
  const sorted = [...hosts.map(({ name, seen }) => ({ name: `host ${name}`, aheadMs: seen.aheadMs })), here].sort(
    (one, other) => one.aheadMs - other.aheadMs,
  );
  const { [0]: behind = here } = sorted;
  const ahead = sorted.at(-1) ?? here;
  return { behind: behind.name, ahead: ahead.name, apartMs: ahead.aheadMs - behind.aheadMs };
}

function clockProblems(hosts: readonly There[]): string[] {
  const { behind, ahead, apartMs } = clocks(hosts);
  if (apartMs < MOST_SKEW_MS) return [];
  return [
    `the clock of ${ahead} is ${inWords(apartMs)} ahead of that of ${behind}, and MinIO refuses what was signed ${inWords(MOST_SKEW_MS)} away`,
  ];
}

function clockWarnings(hosts: readonly There[]): string[] {
  const { behind, ahead, apartMs } = clocks(hosts);
  return apartMs < NOTABLE_SKEW_MS
    ? []
    : [`the clock of ${ahead} is ${inWords(apartMs)} ahead of that of ${behind}: have NTP keep both`];
}

function inWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
