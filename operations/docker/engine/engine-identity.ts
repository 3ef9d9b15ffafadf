/**
 * A deployment remembers the engine that it runs on, by the id that Docker gives an engine for life. A command that meets
 * another one, because a variable is missing or a context was switched, would find nothing there: it would delete the
 * secrets of what runs elsewhere, or deploy a second time.
 */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { describeEngine, type EngineAddress, resolveEngine } from '../../../config/docker/docker-engine';
import { ENVIRONMENT_LABEL } from '../../../config/deployment-names';
import type { OperationInput } from '../../../config/operation-inputs';
import type { LoadedEnvironment } from '../../state/load';
import type { StateLayout } from '../../../config/state/layout';
import { dockerEngine } from '../docker';
import { ExternalError, messageOf, UsageError } from '../../lib/errors';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import { dockerResourcesOf } from '../tear-down';
import { engineUnreachable } from './docker-engine';

const engineNote = z.object({
  /** `ID` of `docker info`. */
  id: z.string().min(1),
  /** Name of its machine. */
  name: z.string(),
  /** How it was reached when it was noted. */
  host: z.string(),
  /** With several hosts: the place of this one among them. */
  number: z.number().optional(),
  /** With several pools: the one that it is in, from 1 on, and how many hosts that has. */
  pool: z.object({ number: z.number(), hosts: z.number() }).optional(),
});

/** An engine as a deployment remembers it. */
export type EngineNote = z.infer<typeof engineNote>;

type Place = Pick<LoadedEnvironment, 'environment' | 'state'>;

/** @throws UsageError if the note is none */
export function readEngineNote({ engine: file }: Pick<StateLayout, 'engine'>): EngineNote | undefined {
  const text = readIfExists(file);
  if (text === undefined) return undefined;
  try {
    return engineNote.parse(JSON.parse(text));
  } catch (error) {
    throw new UsageError(
      `${file} does not say which Docker engine this deployment is on: ${messageOf(error)}`,
      'remove it where the engine is the right one: ./scripts/up looks for the deployment there and writes it again',
    );
  }
}

/** Writes down the engine. Whoever calls has made sure that it is the right one. */
export function rememberEngine(file: string, note: EngineNote): void {
  writeFileAtomically(file, `${JSON.stringify(note, null, 2)}\n`, 0o644);
}

/**
 * Writes down the engine of a deployment that there is. The first deploy notes it by itself; one that was killed may have
 * noted another one, and no more.
 */
export function rememberDeployedEngine(state: StateLayout, met: EngineNote): void {
  const note = readEngineNote(state);
  if ((note !== undefined || existsSync(state.deployment)) && note?.id !== met.id) rememberEngine(state.engine, met);
}

/**
 * The engine that answers.
 *
 * @throws ExternalError if none does
 */
export async function meetEngine(engine: EngineAddress, docker = dockerEngine()): Promise<EngineNote> {
  let info: { readonly ID?: string; readonly Name?: string };
  try {
    info = (await docker.info()) as typeof info;
  } catch (error) {
    throw engineUnreachable(error, engine);
  }
  if (!info.ID) {
    throw new ExternalError(
      `the engine at ${describeEngine(engine)} has no id in \`docker info\``,
      'it is no Docker Engine, or older than 20.10',
    );
  }
  return { id: info.ID, name: info.Name ?? 'no name', host: engine.host };
}

export interface OwnEngineOptions {
  /** Id of an engine that shall count as the right one: a person wrote it. @default - none */
  readonly accepted?: string | undefined;
  /** Whether an engine without anything of a deployment that has no note is the right one, too. @default false */
  readonly mayBeGone?: boolean;
}

/**
 * Refuses unless the engine that answers is the one of the deployment. A deployment without a note is from before there
 * were notes, or has lost it: the engine on which something of it is found is its own.
 *
 * @returns the engine that answers
 * @throws UsageError that names both engines and the ways on
 */
export async function requireOwnEngine(
  { environment, state }: Place,
  { accepted, mayBeGone = false }: OwnEngineOptions = {},
): Promise<EngineNote> {
  const address = resolveEngine(environment.docker, process.env);
  const docker = dockerEngine(environment.docker);
  const met = await meetEngine(address, docker);
  if (accepted !== undefined && accepted !== met.id) {
    throw new UsageError(
      `--engine: must be the id of the engine that answers (${met.id}, ${met.name}, ${describeEngine(address)}), got: ${accepted}`,
      'nothing was changed',
    );
  }
  const note = readEngineNote(state);
  if (accepted !== undefined || note?.id === met.id) return met;
  const answers = `${met.id} (${met.name}; ${describeEngine(address)})`;
  if (note !== undefined) {
    throw new UsageError(
      `environment ${environment.name} is on another Docker engine: it was deployed to ${note.id} (${note.name}; ${note.host}), and this command meets ${answers}`,
      `name its engine, by docker.host, DOCKER_HOST or \`docker context use\`; if the one that answers has taken its place: docs/engines.md. Nothing was changed`,
    );
  }
  // a restore has just put the state here
  if (mayBeGone || !existsSync(state.deployment) || existsSync(state.restore)) return met;
  const there = await dockerResourcesOf(docker, { name: ENVIRONMENT_LABEL, value: environment.name });
  if (Object.values(there).some((list: readonly unknown[]) => list.length > 0)) return met;
  throw new UsageError(
    `environment ${environment.name} was deployed, and Docker engine ${answers} has no container, volume or network of it`,
    `name its engine, by docker.host, DOCKER_HOST or \`docker context use\`; if it was this one and everything is gone: docs/engines.md. Nothing was changed`,
  );
}

/** The same for a command that has something to do without an engine, too: one that does not answer is not asked. */
export async function requireNoOtherEngine(place: Place): Promise<void> {
  // each of several hosts names its engine, so that no variable leads elsewhere
  if (place.environment.hosts !== undefined) return;
  if (!existsSync(place.state.deployment) && readEngineNote(place.state) === undefined) return;
  try {
    await requireOwnEngine(place);
  } catch (error) {
    if (!(error instanceof ExternalError)) throw error;
  }
}

/** For a deploy: notes the engine unless there is a note, which must name this one. */
export async function rememberThisEngine({ file, number, pool }: OperationInput<'remember-engine'>): Promise<void> {
  const met = {
    ...(await meetEngine(resolveEngine({}, process.env))),
    ...(number === undefined ? {} : { number }),
    ...(pool === undefined ? {} : { pool }),
  };
  const text = readIfExists(file);
  if (text === undefined) {
    rememberEngine(file, met);
    return;
  }
  const note = engineNote.parse(JSON.parse(text));
  if (note.id !== met.id) {
    throw new UsageError(
      `this deployment is on Docker engine ${note.id} (${note.name}; ${note.host}), not on ${met.id} (${met.name})`,
    );
  }
}
