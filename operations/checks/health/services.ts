/**
 * Whether the services are there at all. One that is away is the cause of most that other checks would find, so this is
 * found out first, and in seconds: Docker is asked, then each service itself, in the order in which they need each other.
 */
import type Docker from 'dockerode';
import { embeddedVault } from '../../../config/vault/vault';
import { kesUrl } from '../../../config/docker/reachable';
import { nodesOf, onHost } from '../../../config/node';
import { messageOf } from '../../lib/errors';
import type { LoadedEnvironment } from '../../state/load';
import { NO_CONNECTION } from '../../lib/net/http';
import {
  CheckFailure,
  type Evidence,
  hasVault,
  type Service,
  type ServiceCheck,
  type ServiceContext,
  ServiceDown,
  type VaultContext,
} from '../check';
import { accessOf, withVault } from './vault';

/** One service after the other must answer within it, so that no run takes longer than 20 s to say what is away. */
const ANSWER_LIMIT_MS = 5_000;

const TITLES: Readonly<Record<Service, string>> = { vault: 'Vault', kes: 'KES', minio: 'MinIO' };

const servicesRunning: ServiceCheck = {
  from: 'deployment',
  needs: 'none',
  first: true,
  id: 'services-running',
  title: 'Every container runs, and every service answers',
  proves:
    'Docker runs each container of the environment; Vault, KES and MinIO accept connections where they are published.',
  doesNotProve: 'That they work: vault-unsealed and kms-ready ask them how they are, the others have them do it.',
  severity: 'high',
  run: async (context) => {
    const containers = await containersOf(context);
    const evidence = {
      containers: containers.map(({ name, where, state }): Evidence => ({ name: `${name}${where}`, state })),
    };
    requireRunning(context, containers, evidence);
    const answers: Partial<Record<Service, string>> = {};
    for (const { service, url, ask } of servicesOf(context)) {
      const answer = await answerOf(ask);
      if (![ANSWERS, SEALED, CUT_OFF].includes(answer)) throw unanswered(service, url, answer, containers, evidence);
      answers[service] = answer;
      // those after it need it
      if (answer !== ANSWERS) break;
    }
    requireHostsThere(context.loaded, containers, { ...evidence, ...answers });
    return { ...evidence, ...answers };
  },
};

/** In the order in which they are reported. */
export const serviceChecks: readonly ServiceCheck[] = [servicesRunning];

interface SeenContainer {
  readonly name: string;
  /** ` on host b`; empty where there is one. */
  readonly where: string;
  /** Absent: its end does no harm yet. */
  readonly service?: Service;
  /** How people call what runs in it. */
  readonly program: string;
  /** `running`, `missing`, `exited (exit code 137)`; `unknown` where Docker does not say. */
  readonly state: string;
  readonly isUp: boolean;
}

async function containersOf({ loaded }: ServiceContext): Promise<SeenContainer[]> {
  const { environment } = loaded;
  const vault = embeddedVault(environment);
  // loading it takes longer than most checks run
  const { dockerEngine } = await import('../../docker/docker.js');
  const seen = await Promise.all(
    nodesOf(environment).map(async (node) => {
      const docker = dockerEngine(node.docker);
      const look = async (name: string, program: string, service?: Service): Promise<SeenContainer> => {
        const found = await stateOf(docker.getContainer(name));
        return { name, where: onHost(node), program, ...(service === undefined ? {} : { service }), ...found };
      };
      return Promise.all([
        ...(vault === undefined || node.vault === undefined ? [] : [look(node.vault.container, 'Vault', 'vault')]),
        look(node.kes.container, 'KES', 'kes'),
        look(node.minio.container, 'MinIO', 'minio'),
        ...(node.balancer === undefined ? [] : [look(node.balancer.container, 'the balancer')]),
        ...(vault?.unseal === 'auto' && node.vault !== undefined
          ? [look(node.vault.unsealer.container, 'the unsealer of Vault')]
          : []),
      ]);
    }),
  );
  return seen.flat();
}

async function stateOf(container: Docker.Container): Promise<Pick<SeenContainer, 'state' | 'isUp'>> {
  try {
    const { State } = await container.inspect();
    const { Status, ExitCode, Paused, Restarting, Running } = State;
    if (Paused) return { state: PAUSED, isUp: false };
    // Docker starts it again by itself, so the cause may be another service, which is asked first
    if (Restarting) return { state: `restarting (exit code ${ExitCode})`, isUp: true };
    return Running ? { state: Status, isUp: true } : { state: `${Status} (exit code ${ExitCode})`, isUp: false };
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return { state: MISSING, isUp: false };
    // the services themselves are asked all the same
    return { state: `${UNKNOWN}${messageOf(error)}`, isUp: true };
  }
}

const MISSING = 'missing';

const PAUSED = 'paused';

/** What mends containers that do not run, the command first. */
function mending(argument: string, down: readonly SeenContainer[]): string {
  const paused = down.filter(({ state }) => state === PAUSED);
  const missing = down.filter(({ state }) => state === MISSING);
  const stopped = down.filter((one) => !paused.includes(one) && !missing.includes(one));
  const verbs = [...(missing.length > 0 ? ['makes'] : []), ...(stopped.length > 0 ? ['starts'] : [])].join(' or ');
  const what = missing.length + stopped.length > 1 ? 'them' : 'it';
  return [
    ...paused.map(({ name, where }) => `\`docker unpause ${name}\`${where}`),
    ...(verbs === '' ? [] : [`./scripts/up ${argument} ${verbs} ${what} again`]),
    ...(missing.length > 0 ? ['keys and objects are in volumes, which it keeps'] : []),
    ...stopped.map(({ name, where }) => `\`docker logs ${name}\`${where} says why it ended`),
  ].join('; ');
}

/** @throws ServiceDown for the first service whose container does not run; it names every such container */
function requireRunning({ loaded }: ServiceContext, containers: readonly SeenContainer[], evidence: Evidence): void {
  const down = containers.filter(({ isUp }) => !isUp);
  if (down.length === 0) return;
  const message = down
    .map(({ program, name, where, state }) => `${program}${where} does not run: its container ${name} is ${state}`)
    .join('; ');
  const fix = mending(loaded.argument, down);
  // of several, the others answer for one that is away
  const isOut = (service: Service): boolean =>
    containers.every((container) => container.service !== service || !container.isUp);
  const first = down.find(({ service }) => service !== undefined && isOut(service))?.service;
  if (first !== undefined) throw new ServiceDown(first, message, fix, evidence);
  if (down.some(({ service }) => service !== undefined)) throw new CheckFailure(message, fix, evidence);
  throw new CheckFailure(`${message}, so that Vault stays sealed when it starts again`, fix, evidence);
}

/** @throws CheckFailure that names each of several hosts on which Docker does not answer */
export function requireHostsThere(
  { argument }: Pick<LoadedEnvironment, 'argument'>,
  containers: readonly Pick<SeenContainer, 'where' | 'state'>[],
  evidence: Evidence,
): void {
  const silent = new Map(
    containers.flatMap(({ where, state }) =>
      where !== '' && state.startsWith(UNKNOWN) ? [[where, state.slice(UNKNOWN.length)]] : [],
    ),
  );
  if (silent.size === 0) return;
  throw new CheckFailure(
    [...silent].map(([where, why]) => `Docker${where} does not answer: ${why}`).join('; '),
    `bring the host back, then ./scripts/up ${argument}, which makes what is missing there; what the others have goes on meanwhile`,
    evidence,
  );
}

const UNKNOWN = 'unknown: ';

const ANSWERS = 'answers';
/** vault-unsealed says more; what needs Vault may be away for that alone, so it is not asked. */
const SEALED = 'is sealed';
/** … and kms-ready of this. */
const CUT_OFF = 'does not reach its key store';

interface AskedService {
  readonly service: Service;
  readonly url: string;
  readonly ask: () => Promise<string>;
}

/** In the order in which they need each other. */
function servicesOf(context: ServiceContext): AskedService[] {
  const { loaded, kes, minio, s3Endpoint } = context;
  const ofVault = (has: VaultContext): AskedService => ({
    service: 'vault',
    url: accessOf(has).url,
    ask: () => withVault(has, async (vault) => ((await vault.sealStatus(ANSWER_LIMIT_MS)).sealed ? SEALED : ANSWERS)),
  });
  return [
    ...(hasVault(context) ? [ofVault(context)] : []),
    {
      service: 'kes',
      url: kesUrl(loaded.environment),
      ask: async () => ((await kes.ready(ANSWER_LIMIT_MS)) ? ANSWERS : CUT_OFF),
    },
    {
      service: 'minio',
      url: s3Endpoint.url,
      ask: async () => {
        await minio.send({ method: 'GET', path: '/minio/health/live', timeoutMs: ANSWER_LIMIT_MS });
        return ANSWERS;
      },
    },
  ];
}

/** A refusal is an answer, too, and so is a certificate that cannot be trusted: other checks say what is wrong with it. */
async function answerOf(ask: () => Promise<string>): Promise<string> {
  try {
    return await ask();
  } catch (error) {
    const cause = (error as { cause?: NodeJS.ErrnoException }).cause;
    return cause !== undefined && NO_CONNECTION.includes(cause.code) ? messageOf(error) : ANSWERS;
  }
}

function unanswered(
  service: Service,
  url: string,
  said: string,
  containers: readonly SeenContainer[],
  evidence: Evidence,
): ServiceDown {
  const container = containers.find((one) => one.service === service);
  if (container === undefined) {
    return new ServiceDown(
      service,
      `${TITLES[service]} does not answer at ${url}: ${said}`,
      'ask who runs it',
      evidence,
    );
  }
  const { name, where, state } = container;
  return new ServiceDown(
    service,
    `${TITLES[service]} does not answer at ${url}: ${said}; its container ${name}${where} is ${state}`,
    state.startsWith('unknown')
      ? 'start Docker, or correct docker.host and DOCKER_HOST: without it the state of the containers is unknown'
      : `\`docker logs ${name}\`${where} says why; \`docker restart ${name}\`${where} restarts it`,
    evidence,
  );
}
