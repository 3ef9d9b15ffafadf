/** Whether what is shipped can still be had: modules of the Go proxy, images and providers of registries. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import type { Environment } from '../../config/environment';
import { type Node, nodesOf } from '../../config/node';
import type { Toolchain } from '../../config/toolchain';
import { distributionOf } from '../../config/vault/vault';
import { dockerEngine } from '../docker/docker';
import { pullProblem } from '../docker/images-preflight';
import { registryLogin } from '../docker/engine/registry-logins';
import { CommandError, run } from '../lib/command';
import { messageOf } from '../lib/errors';
import { cacheLayout } from './cache';
import { findGo, machineGo } from './go/go-toolchain';
import { dockerProvider, type GoProgram, kes, mc, minio, vaultPrograms, vaultProvider } from './go/programs';
import { registryProblem, type TerraformFlavour } from './images/registry';
import { deployedPrograms, type GoModule, mainModule } from './versions';

/** Where something comes from, and whether it is still there. */
export interface Availability {
  /** Such as `Go module github.com/minio/kes v0.24.0`. */
  readonly source: string;
  /** `unknown`: who would know does not answer. */
  readonly available: 'yes' | 'no' | 'unknown';
  /** Why not, or why it is not known. */
  readonly problem?: string;
}

/** Asks where everything of an environment would come from. Nothing is downloaded, and no answer is an error. */
export async function availabilityOf(
  environment: Environment,
  { providers }: Toolchain,
  flavour: TerraformFlavour,
  signal: AbortSignal,
): Promise<Availability[]> {
  const programs =
    environment.images.source === 'build' ? [minio, mc, kes, vaultPrograms[distributionOf(environment)]] : [];
  const built = providers.source === 'mirror' ? [dockerProvider, vaultProvider] : [];
  const versions = [
    { address: 'kreuzwerker/docker', version: providers.docker },
    { address: 'hashicorp/vault', version: providers.vault },
  ];
  const [modules, images, offered] = await Promise.all([
    modulesThere([...programs, ...built], signal),
    imagesThere(environment, nodesOf(environment)[0]),
    built.length > 0
      ? []
      : Promise.all(
          versions.map(async (one): Promise<Availability> => {
            const source = `Terraform provider ${one.address} ${one.version}`;
            try {
              const problem = await registryProblem(flavour, { wanted: [one], downloads: [one], signal });
              return judged(source, problem);
            } catch (error) {
              signal.throwIfAborted();
              return { source, available: 'no', problem: messageOf(error) };
            }
          }),
        ),
  ]);
  return [...modules, ...images, ...offered];
}

/** What a server says of something that is not there, or not for everybody; anything else is no answer. */
const REFUSED = /\b(?:403|404|410)\b|unknown revision|invalid version|manifest unknown|not found|denied/i;

function judged(source: string, problem: string | undefined): Availability {
  if (problem === undefined) return { source, available: 'yes' };
  return { source, available: REFUSED.test(problem) ? 'no' : 'unknown', problem };
}

const moduleAnswer = z.object({
  Path: z.string(),
  Version: z.string().optional(),
  Error: z.object({ Err: z.string() }).optional(),
});

async function modulesThere(programs: readonly GoProgram[], signal: AbortSignal): Promise<Availability[]> {
  if (programs.length === 0) return [];
  const modules = programs.map(mainModule);
  const sourceOf = ({ name, version }: GoModule): string => `Go module ${name} ${version}`;
  const answers = await askGo(modules, signal);
  if (typeof answers === 'string') {
    return modules.map((one) => ({ source: sourceOf(one), available: 'unknown', problem: answers }));
  }
  return modules.map((one) => {
    const answer = answers.find(({ Path, Version }) => Path === one.name && Version === one.version);
    const problem = answer === undefined ? 'Go said nothing of it' : answer.Error?.Err;
    return judged(sourceOf(one), problem?.replace(/^\S+@\S+: /, '').split('\n')[0]);
  });
}

/** @returns why Go could not be asked */
async function askGo(
  modules: readonly GoModule[],
  signal: AbortSignal,
): Promise<z.infer<typeof moduleAnswer>[] | string> {
  const cache = cacheLayout();
  const go = findGo(cache)?.program ?? machineGo()?.file;
  if (go === undefined) return 'there is no Go on this machine to ask with';
  // what was downloaded before says nothing of the proxy
  const empty = await mkdtemp(path.join(tmpdir(), 'ebs-go-'));
  const lines: string[] = [];
  let failure: string | undefined;
  try {
    await run(go, ['list', '-m', '-e', '-json', ...modules.map(({ name, version }) => `${name}@${version}`)], {
      cwd: path.parse(empty).root,
      env: {
        ...process.env,
        GOMODCACHE: empty,
        GOFLAGS: '-modcacherw',
        GOTOOLCHAIN: 'local',
        GOWORK: 'off',
        GO111MODULE: 'on',
      },
      logFile: path.join(cache.logs, 'availability.log'),
      signal,
      onLine: (line) => lines.push(line),
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    failure = error.tail.at(-1) ?? error.message;
  } finally {
    await rm(empty, { recursive: true, force: true });
  }
  const objects = [...lines.join('\n').matchAll(/^\{$[^]*?^\}$/gm)].map(([text]) => text);
  if (objects.length === 0) return failure ?? 'Go said nothing';
  return objects.map((text) => moduleAnswer.parse(JSON.parse(text)));
}

async function imagesThere({ images, ...environment }: Environment, node: Node): Promise<Availability[]> {
  if (images.source === 'build') return [];
  const { dockerConfigFile } = images;
  const references = deployedPrograms(environment).flatMap((program) => images[program] ?? []);
  return Promise.all(
    references.map(async (reference): Promise<Availability> => {
      const source = `image ${reference}`;
      if (!reference.includes('@'))
        return { source, available: 'no', problem: 'it was built here, and no registry has it' };
      try {
        const docker = dockerEngine(node.docker);
        const { Arch } = await docker.version();
        const login = dockerConfigFile === undefined ? undefined : registryLogin(dockerConfigFile, reference);
        return judged(source, await pullProblem(reference, `linux/${Arch}`, docker, login));
      } catch (error) {
        return { source, available: 'unknown', problem: messageOf(error) };
      }
    }),
  );
}
