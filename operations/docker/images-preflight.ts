/** Asks for every image of a registry whether it can be pulled, before anything is deployed; nothing is pulled. */
import type Docker from 'dockerode';
import { ExternalError, messageOf } from '../lib/errors';
import type { RegistryLogin } from './engine/registry-logins';

/** An image that the deployment will pull. */
export interface WantedImage {
  /** The setting that names it. */
  readonly setting: string;
  readonly reference: string;
}

export interface ImagesRequest {
  readonly images: readonly WantedImage[];
  readonly docker: Docker;
  /** How to log in to a registry; undefined for one that lets everybody pull. */
  readonly loginOf: (reference: string) => RegistryLogin | undefined;
}

/**
 * @returns how many are on the Docker host already, and how many will be pulled
 * @throws ExternalError that names every image that cannot be had, and why
 */
export async function requirePullableImages(request: ImagesRequest): Promise<{ here: number; pullable: number }> {
  const { Arch } = await request.docker.version();
  const verdicts = await Promise.all(request.images.map((image) => judge(image, `linux/${Arch}`, request)));
  const problems = verdicts.flatMap(({ problem }) => (problem === undefined ? [] : [problem]));
  if (problems.length > 0) {
    throw new ExternalError(
      `${problems.length === 1 ? 'an image' : `${problems.length} images`} cannot be pulled:${problems
        .map((problem) => `\n  - ${problem}`)
        .join('')}`,
      'correct the references, or what the engine needs to reach and enter the registry; nothing was changed',
    );
  }
  const here = verdicts.filter((verdict) => verdict.here).length;
  return { here, pullable: verdicts.length - here };
}

interface Verdict {
  readonly here: boolean;
  readonly problem?: string;
}

async function judge(
  { setting, reference }: WantedImage,
  platform: string,
  { docker, loginOf }: ImagesRequest,
): Promise<Verdict> {
  const image = docker.getImage(reference);
  try {
    await image.inspect();
    return { here: true };
  } catch (error) {
    if (statusOf(error) !== 404)
      throw new ExternalError(`Docker cannot say whether it has ${reference}: ${messageOf(error)}`);
  }
  // without a digest nothing says that a registry means the same image
  if (!reference.includes('@')) {
    const problem = `${setting}, ${reference}: it was built here, and this Docker host has it no more: build it with the version that made it, or name an image of a registry by its digest`;
    return { here: false, problem };
  }
  const problem = await pullProblem(reference, platform, docker, loginOf(reference));
  return { here: false, ...(problem === undefined ? {} : { problem: `${setting}, ${reference}: ${problem}` }) };
}

/** Why an image cannot be had from its registry, whether or not the Docker host has it; undefined if it can. */
export async function pullProblem(
  reference: string,
  platform: string,
  docker: Docker,
  login: RegistryLogin | undefined,
): Promise<string | undefined> {
  try {
    const { Platforms } = await docker
      .getImage(reference)
      .distribution(login === undefined ? {} : { authconfig: login });
    const platforms = Platforms.map(({ os, architecture }) => `${os}/${architecture}`);
    return platforms.includes(platform) ? undefined : `it is for ${platforms.join(', ')}, the engine is ${platform}`;
  } catch (error) {
    return messageOf(error)
      .replace(/^\(HTTP code \d+\) [^-]* - /, '')
      .trim();
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number }).statusCode;
}
