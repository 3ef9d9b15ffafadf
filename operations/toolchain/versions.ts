/** What is deployed of each program, and what this version of the project ships. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { imageReference, imageSource, type Program } from '../../config/docker/image-source';
import type { Environment } from '../../config/environment';
import type { Toolchain } from '../../config/toolchain';
import { distributionOf, embeddedVault } from '../../config/vault/vault';
import { projectRoot } from '../lib/project-root';
import type { DeployedVersions } from '../state/notes/versions-note';
import { additionContents } from './go/go-additions';
import { type GoProgram, kes, mc, minio, vaultPrograms } from './go/programs';

/** Of this project. */
export function projectVersion(): string {
  return z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8'))).version;
}

/** Version of this project, and for each program the pinned module, or the image that was pulled. */
export function versionsOf({ images, keyStore }: Pick<Environment, 'images' | 'keyStore'>): Record<string, string> {
  const toolkit = projectVersion();
  const distribution = distributionOf({ keyStore });
  if (images.source === 'registry') {
    const { kes: kesImage, minio: minioImage, [distribution]: vaultImage } = images;
    return {
      toolkit,
      kes: kesImage,
      minio: minioImage,
      ...(vaultImage === undefined ? {} : { [distribution]: vaultImage }),
    };
  }
  const programs = { [distribution]: vaultPrograms[distribution], kes, minio, mc };
  const versions = Object.entries(programs).map(([name, program]) => [name, mainModule(program).version]);
  return { toolkit, ...(Object.fromEntries(versions) as Record<string, string>) };
}

/** A Go module at a version. */
export interface GoModule {
  readonly name: string;
  readonly version: string;
}

/** The module that the package of a program is in, as its go.mod requires it; what replaces it, if something does. */
export function mainModule({ module: folder, package: goPackage }: GoProgram): GoModule {
  const lines = readFileSync(path.join(folder, 'go.mod'), 'utf8').split('\n');
  const isMain = (name: string | undefined): name is string =>
    name !== undefined && (goPackage === name || goPackage.startsWith(`${name}/`));
  const replaced = lines.map((line) => /^\s*(?:replace )?(\S+)(?: v\S+)? => (\S+) (v\S+)/.exec(line));
  const required = lines.map((line) => /^\s*(?:require )?(\S+) (v\S+)/.exec(line));
  const [, , name, version] = replaced.find((match) => isMain(match?.[1])) ?? [];
  if (name !== undefined && version !== undefined) return { name, version };
  const [, own = goPackage, ownVersion = 'unknown'] = required.find((match) => isMain(match?.[1])) ?? [];
  return { name: own, version: ownVersion };
}

/** The programs of which a deployment has containers. */
export function deployedPrograms(environment: Pick<Environment, 'keyStore' | 'hosts'>): Program[] {
  return [
    ...(embeddedVault(environment) === undefined ? [] : [distributionOf(environment)]),
    ...(['kes', 'minio'] as const),
    ...(environment.hosts === undefined ? [] : (['haproxy'] as const)),
  ];
}

/** What a deploy would bring. */
export async function shippedVersions(environment: Environment, toolchain: Toolchain): Promise<DeployedVersions> {
  const { docker, vault: vaultProvider } = toolchain.providers;
  const programs: DeployedVersions['programs'] = {};
  for (const program of deployedPrograms(environment)) {
    const source = imageSource({ environment, toolchain }, program);
    const image = imageReference(source);
    programs[program] = { image, version: source.kind === 'registry' ? image : await BUILT_VERSIONS[program]() };
  }
  return { project: projectVersion(), providers: { docker, vault: vaultProvider }, programs };
}

const versionOf = (program: GoProgram) => (): Promise<string> => Promise.resolve(mainModule(program).version);

const BUILT_VERSIONS: Readonly<Record<Program, () => Promise<string>>> = {
  vault: versionOf(vaultPrograms.vault),
  openbao: versionOf(vaultPrograms.openbao),
  kes: versionOf(kes),
  minio: async () => `${mainModule(minio).version} with guard ${await guardHash()}`,
  haproxy: () => Promise.resolve('of Debian'),
};

async function guardHash(): Promise<string> {
  const hash = createHash('sha256');
  if (minio.additions !== undefined) {
    for (const [file, content] of await additionContents(minio.additions)) hash.update(`${file}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 8);
}
