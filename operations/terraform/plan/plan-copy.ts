/**
 * What a plan needs of a deployment, in one file without any secret: for a machine that may plan and must not know more,
 * such as the runner on which the code of a pull request runs. See docs/plan.md.
 *
 * | of the deployment                | in the copy                                                              |
 * |----------------------------------|--------------------------------------------------------------------------|
 * | Terraform's state                | itself; the SHA-256 of each secret file is that of what stands for it    |
 * | certificates, canaries, notes    | themselves                                                               |
 * | files of `secrets/`, other keys  | their names; what stands for each is made of its name                    |
 *
 * A plan from it asks neither Docker nor Vault, and so sees what a change of the declaration does, and no drift.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Environment } from '../../../config/environment';
import type { LoadedEnvironment } from '../../state/load';
import { everyStack } from '../stack-names';
import { type StateLayout, stateLayout } from '../../../config/state/layout';
import { caFilesOf } from '../../certificates/trusted-roots';
import { ExternalError, messageOf, UsageError } from '../../lib/errors';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import { Rotation } from '../../state/rotation';
import { readRemoteState } from '../remote-state';
import { cacheLayout } from '../../toolchain/cache';

/** A path that stays below the folder that it is put into. */
const innerPath = z.string().refine((name) => !path.isAbsolute(name) && !name.split('/').includes('..'));

const planCopy = z.strictObject({
  /** Of this format. */
  version: z.literal(1),
  environment: z.string(),
  createdAt: z.iso.datetime(),
  /** The state folder and the toolchain's cache, as Terraform's state names them. */
  root: z.string(),
  cache: z.string(),
  /** Texts by their paths in the state folder. */
  files: z.record(innerPath, z.string()),
  /** Paths in the state folder of which there is only the name. */
  secrets: z.array(innerPath),
  /** Files elsewhere that the environment file names: texts, or null where it is a secret. */
  outside: z.record(z.string(), z.string().nullable()),
  /** Terraform's state of each stack that has one. */
  terraform: z.record(z.string().regex(/^[a-z0-9-]+$/), z.string()),
});
export type PlanCopy = z.infer<typeof planCopy>;

/** More than the state of any deployment takes. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The copy of a deployment that nothing changes at the moment.
 *
 * @throws ExternalError if it is not deployed, or its state cannot be read; UsageError if a rotation has not ended, or a
 *   file of certificates holds something else
 */
export async function copyForPlans({ environment, argument, state }: LoadedEnvironment): Promise<PlanCopy> {
  const marker = readIfExists(state.secret.deployment);
  if (marker === undefined) {
    throw new ExternalError(
      `environment ${environment.name} is not deployed: there is no ${state.secret.deployment}`,
      'a first deploy needs no copy: ./scripts/plan says what it would make',
    );
  }
  const rotation = Rotation.unfinished(state);
  if (rotation !== undefined) {
    throw new UsageError(
      `a rotation of ${rotation} has not ended: Terraform’s state may hold the SHA-256 of an earlier secret`,
      `end it first: ./scripts/rotate ${rotation} ${argument}`,
    );
  }
  const here = (file: string): string => path.relative(state.root, file);
  const secrets = filesBelow(state.secrets).filter((file) => file !== state.secret.deployment);
  const open = [
    ...[state.deployment, state.secret.deployment, state.canaries, state.keyStore, state.secretIdNote],
    ...filesBelow(state.tls),
    ...filesBelow(state.operations),
  ];
  const outside = outsideFiles(environment);
  const hidden = new Map([
    ...secrets.map((file) => [hashOf(readFileSync(file)), hashOf(standIn(here(file)))] as const),
    ...outside.secret.flatMap((file) => {
      const content = readIfExists(file);
      return content === undefined ? [] : [[hashOf(content), hashOf(standIn(file))] as const];
    }),
  ]);
  const terraform: Record<string, string> = {};
  for (const stack of everyStack(environment)) {
    const text = await stateOf(environment, state, stack);
    if (text !== undefined) terraform[stack] = text.replaceAll(/\b[0-9a-f]{64}\b/g, (hash) => hidden.get(hash) ?? hash);
  }
  return {
    version: 1,
    environment: environment.name,
    createdAt: new Date().toISOString(),
    root: state.root,
    cache: cacheLayout().root,
    files: textsOf(open, here),
    secrets: secrets.map(here),
    outside: {
      ...onlyCertificates(textsOf(outside.open, (file) => file)),
      ...Object.fromEntries(outside.secret.map((file) => [file, null])),
    },
    terraform,
  };
}

export function writePlanCopy(file: string, copy: PlanCopy): void {
  writeFileAtomically(file, `${JSON.stringify(copy)}\n`, 0o644);
}

/** @throws UsageError if it is none, or of another environment */
export function readPlanCopy(file: string, environment: string): PlanCopy {
  let content: unknown;
  try {
    const { size } = statSync(file);
    if (size > MOST_BYTES) throw new Error(`it has ${size} bytes, and at most ${MOST_BYTES} are right`);
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw notACopy(file, messageOf(error));
  }
  const parsed = planCopy.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw notACopy(file, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  if (parsed.data.environment === environment) return parsed.data;
  throw new UsageError(
    `--from: ${file} is a copy of environment ${parsed.data.environment}, and ${environment} is to be planned`,
    `make one of it where it is deployed: ./scripts/plan ${environment} --export FILE`,
  );
}

function notACopy(file: string, why: string): UsageError {
  return new UsageError(
    `--from: ${file} is not what ./scripts/plan --export writes: ${why}`,
    'write it again with the version of this project that is to plan from it',
  );
}

/** A deployment in a folder of its own, for a plan and nothing else. */
export interface UnpackedCopy {
  readonly loaded: LoadedEnvironment;
  /** Gives what was synthesized the paths of the files that lie elsewhere. */
  readonly relocate: (synthesized: string) => string;
}

/** @param folder that is empty, and removed by the caller */
export function unpackPlanCopy(copy: PlanCopy, loaded: LoadedEnvironment, folder: string): UnpackedCopy {
  const state = stateLayout(copy.environment, path.join(folder, 'state'));
  for (const [name, text] of Object.entries(copy.files)) put(path.join(state.root, name), text);
  for (const name of copy.secrets) put(path.join(state.root, name), standIn(name));
  const moved = Object.entries(copy.outside).map(([file, text], index) => {
    const to = path.join(folder, 'outside', String(index), path.basename(file));
    put(to, text ?? standIn(file));
    return [file, to] as const;
  });
  const outside = replacer(moved);
  const paths = replacer([...moved, [copy.root, state.root], [copy.cache, cacheLayout().root]]);
  for (const [stack, text] of Object.entries(copy.terraform)) {
    put(path.join(state.terraform, `${stack}.tfstate`), paths(text));
  }
  const { environment } = loaded;
  return {
    relocate: outside,
    loaded: {
      ...loaded,
      state,
      // neither is asked, so no file is needed by which they are reached
      environment: {
        ...environment,
        state: { backend: 'local' },
        docker: withoutEngine(environment.docker),
        images: withoutLogins(environment.images),
      },
    },
  };
}

function withoutEngine({ host: _, certPath: __, ...docker }: Environment['docker']): Environment['docker'] {
  return docker;
}

function withoutLogins(images: Environment['images']): Environment['images'] {
  if (images.source !== 'registry') return images;
  const { dockerConfigFile: _, ...more } = images;
  return more;
}

function put(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, text, { mode: 0o600 });
}

/** What is in the place of a secret: nothing of it, and the same on every machine. */
function standIn(name: string): string {
  return `not here: ${name}\n`;
}

function hashOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Replaces paths wherever they stand in JSON, and in JSON that is a string of it. */
function replacer(moves: readonly (readonly [string, string])[]): (json: string) => string {
  const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);
  // to the end of a name: not /srv/a in /srv/ab
  const pattern = (text: string): RegExp =>
    new RegExp(`${text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}(?=["\\\\/])`, 'g');
  // a longer path first: it may be in a folder that moves as well
  const sorted = [...moves].sort(([one], [other]) => other.length - one.length);
  const inJson = sorted.flatMap(([from, to]) => [
    [escaped(escaped(from)), escaped(escaped(to))] as const,
    [escaped(from), escaped(to)] as const,
  ]);
  return (json) => inJson.reduce((text, [from, to]) => text.replaceAll(pattern(from), () => to), json);
}

/** The files elsewhere of which a plan looks at the content. */
function outsideFiles({ keyStore, tls, trustedCAs }: Environment): { open: string[]; secret: string[] } {
  const vault = keyStore.type === 'vault' && keyStore.vault.mode === 'external' ? keyStore.vault : undefined;
  const given = (...files: readonly (string | undefined)[]): string[] => files.filter((file) => file !== undefined);
  const pairs = tls.mode === 'files' ? [tls, ...tls.additional] : [];
  return {
    open: [
      ...trustedCAs.flatMap((source, index) => caFilesOf(`trustedCAs[${index}]`, source)),
      ...(tls.mode === 'self-signed' ? [] : given(tls.ca)),
      ...(tls.mode === 'acme' ? given(tls.directoryCaFile) : []),
      ...pairs.map(({ certificate }) => certificate),
      ...given(vault?.caFile),
      ...(keyStore.type === 'aws' ? given(keyStore.caFile) : []),
    ],
    secret: [...pairs.map(({ privateKey }) => privateKey), ...given(vault?.tokenFile)],
  };
}

async function stateOf(environment: Environment, state: StateLayout, stack: string): Promise<string | undefined> {
  const { name, state: backend } = environment;
  if (backend.backend === 's3') return readRemoteState(name, backend, stack);
  return readIfExists(path.join(state.terraform, `${stack}.tfstate`));
}

function textsOf(files: readonly string[], nameOf: (file: string) => string): Record<string, string> {
  return Object.fromEntries(
    files.flatMap((file): [string, string][] => {
      const text = readIfExists(file);
      return text === undefined ? [] : [[nameOf(file), text]];
    }),
  );
}

/**
 * A file of certificates may be read by whoever may read the copy, and the key beside a certificate may not.
 *
 * @throws UsageError if something else is in one
 */
function onlyCertificates(texts: Record<string, string>): Record<string, string> {
  for (const [file, text] of Object.entries(texts)) {
    const labels = [...text.matchAll(/-----BEGIN ([^\r\n]*?)-----/g)].map(([, label]) => label);
    const other = labels.find((label) => label !== 'CERTIFICATE');
    if (other === undefined) continue;
    throw new UsageError(
      `${file}: must hold nothing but certificates, because a copy for plans shows it, got: ${other}`,
      'remove the rest from that file; a private key belongs into a file of its own',
    );
  }
  return texts;
}

/** A file itself, or all files in a folder. */
function filesBelow(entry: string): string[] {
  const found = statSync(entry, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (!found.isDirectory()) return [entry];
  return readdirSync(entry)
    .sort()
    .flatMap((name) => filesBelow(path.join(entry, name)));
}
