/**
 * Whether the services are there at all. One that is away is the cause of most that other checks would find, so this is
 * found out first, and in seconds: Docker is asked, then each service itself, in the order in which they need each other.
 */
import type Docker from 'dockerode';
import { KES_ALIAS, MINIO_ALIAS, namesOf, VAULT_ALIAS } from '../../../config/deployment-names';
import { kesUrl } from '../../../config/reachable';
import { messageOf } from '../../lib/errors';
import { NO_CONNECTION } from '../../lib/http';
import {
  CheckFailure,
  type Evidence,
  type Service,
  type ServiceCheck,
  type ServiceContext,
  ServiceDown,
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
    const evidence = { containers: containers.map(({ name, state }): Evidence => ({ name, state })) };
    requireRunning(context, containers, evidence);
    const answers = await answersOf(context);
    const silent = Object.entries(answers).find(([, answer]) => ![ANSWERS, SEALED, CUT_OFF].includes(answer));
    if (silent !== undefined) throw unanswered(context, silent[0] as Service, silent[1], containers, evidence);
    return { ...evidence, ...answers };
  },
};

/** In the order in which they are reported. */
export const serviceChecks: readonly ServiceCheck[] = [servicesRunning];

interface SeenContainer {
  readonly name: string;
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
  const { vault } = environment;
  // loading it takes longer than most checks run
  const { dockerEngine } = await import('../../docker/docker.js');
  const docker = dockerEngine(environment.docker);
  const look = async (alias: string, program: string, service?: Service): Promise<SeenContainer> => {
    const name = `${namesOf(environment).prefix}-${alias}`;
    const seen = await stateOf(docker.getContainer(name));
    return { name, program, ...(service === undefined ? {} : { service }), ...seen };
  };
  return Promise.all([
    ...(vault.mode === 'embedded' ? [look(VAULT_ALIAS, 'Vault', 'vault')] : []),
    look(KES_ALIAS, 'KES', 'kes'),
    look(MINIO_ALIAS, 'MinIO', 'minio'),
    ...(vault.mode === 'embedded' && vault.unseal === 'auto'
      ? [look(`${VAULT_ALIAS}-unsealer`, 'the unsealer of Vault')]
      : []),
  ]);
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
    return { state: `unknown: ${messageOf(error)}`, isUp: true };
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
    ...paused.map(({ name }) => `\`docker unpause ${name}\``),
    ...(verbs === '' ? [] : [`./scripts/up ${argument} ${verbs} ${what} again`]),
    ...(missing.length > 0 ? ['keys and objects are in volumes, which it keeps'] : []),
    ...stopped.map(({ name }) => `\`docker logs ${name}\` says why it ended`),
  ].join('; ');
}

/** @throws ServiceDown for the first service whose container does not run; it names every such container */
function requireRunning({ loaded }: ServiceContext, containers: readonly SeenContainer[], evidence: Evidence): void {
  const down = containers.filter(({ isUp }) => !isUp);
  if (down.length === 0) return;
  const message = down
    .map(({ program, name, state }) => `${program} does not run: its container ${name} is ${state}`)
    .join('; ');
  const fix = mending(loaded.argument, down);
  const first = down.find(({ service }) => service !== undefined)?.service;
  // with another key store Vault is nobody's need
  if (first !== undefined && !(first === 'vault' && loaded.environment.keyStore.type !== 'vault')) {
    throw new ServiceDown(first, message, fix, evidence);
  }
  throw new CheckFailure(`${message}, so that Vault stays sealed when it starts again`, fix, evidence);
}

const ANSWERS = 'answers';
/** vault-unsealed says more; what needs Vault may be away for that alone, so it is not asked. */
const SEALED = 'is sealed';
/** … and kms-ready of this. */
const CUT_OFF = 'does not reach its key store';

/** What came of asking each service, up to the first that does not answer. */
async function answersOf(context: ServiceContext): Promise<Partial<Record<Service, string>>> {
  const { loaded, kes, minio } = context;
  const answers: Partial<Record<Service, string>> = {};
  if (loaded.environment.keyStore.type === 'vault') {
    answers.vault = await withVault(context, async (vault) =>
      answerOf(async () => ((await vault.sealStatus(ANSWER_LIMIT_MS)).sealed ? SEALED : ANSWERS)),
    );
    if (answers.vault !== ANSWERS) return answers;
  }
  answers.kes = await answerOf(async () => ((await kes.ready(ANSWER_LIMIT_MS)) ? ANSWERS : CUT_OFF));
  if (answers.kes !== ANSWERS) return answers;
  answers.minio = await answerOf(async () => {
    await minio.send({ method: 'GET', path: '/minio/health/live', timeoutMs: ANSWER_LIMIT_MS });
    return ANSWERS;
  });
  return answers;
}

/** A refusal is an answer, too, and so is a certificate that nobody can trust: other checks say what is wrong with it. */
async function answerOf(ask: () => Promise<string>): Promise<string> {
  try {
    return await ask();
  } catch (error) {
    const cause = (error as { cause?: NodeJS.ErrnoException }).cause;
    return cause !== undefined && NO_CONNECTION.includes(cause.code) ? messageOf(error) : ANSWERS;
  }
}

function unanswered(
  context: ServiceContext,
  service: Service,
  said: string,
  containers: readonly SeenContainer[],
  evidence: Evidence,
): ServiceDown {
  const url = urlOf(context, service);
  const container = containers.find((one) => one.service === service);
  if (container === undefined) {
    return new ServiceDown(
      service,
      `${TITLES[service]} does not answer at ${url}: ${said}`,
      'ask who runs it',
      evidence,
    );
  }
  const { name, state } = container;
  return new ServiceDown(
    service,
    `${TITLES[service]} does not answer at ${url}: ${said}; its container ${name} is ${state}`,
    state.startsWith('unknown')
      ? 'start Docker, or correct docker.host and DOCKER_HOST: without it nobody knows what runs'
      : `\`docker logs ${name}\` says why; \`docker restart ${name}\` starts it anew`,
    evidence,
  );
}

function urlOf(context: ServiceContext, service: Service): string {
  switch (service) {
    case 'vault':
      return accessOf(context).url;
    case 'kes':
      return kesUrl(context.loaded.environment);
    case 'minio':
      return context.s3Endpoint.url;
  }
}
