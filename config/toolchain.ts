/**
 * What the toolchain step found or built, as the stacks need it.
 *
 * `./scripts/up` (and `./scripts/toolchain`) writes it to `.toolchain/toolchain.json` in the clone; the CDKTF app
 * reads it. It names only paths, hashes and versions.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { UsageError } from '../operations/lib/errors';
import { PROVIDER_VERSIONS } from './provider-versions';

/** A folder holding a Dockerfile and what it copies; `hash` is the SHA-256 over all of it. */
const imageContext = z.strictObject({
  context: z.string(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});
export type ImageContext = z.infer<typeof imageContext>;

export const toolchainSchema = z.strictObject({
  /** Build contexts, for `images: {source: build}`; absent where every image comes from a registry. */
  images: z.strictObject({ vault: imageContext, kes: imageContext, minio: imageContext }).optional(),
  /** Exact versions of the Terraform providers that `terraform init` will find. */
  providers: z.strictObject({
    source: z.enum(['mirror', 'registry']),
    docker: z.string(),
    vault: z.string(),
  }),
});
export type Toolchain = z.infer<typeof toolchainSchema>;

function folderOfProject(folder: string): string {
  if (existsSync(path.join(folder, 'cdktf.json'))) return folder;
  const above = path.dirname(folder);
  if (above === folder) throw new Error(`no folder above ${__dirname} has a cdktf.json`);
  return folderOfProject(above);
}

/** The project's folder: where `cdktf.json` is. A program runs from a bundle, which is somewhere below it. */
export const projectRoot = folderOfProject(__dirname);

/** Where the toolchain step leaves its findings. */
export const toolchainFile = path.join(projectRoot, '.toolchain', 'toolchain.json');

/** What a machine with registry access uses when no toolchain step ran: the same providers, no image contexts. */
export const registryToolchain: Toolchain = {
  providers: { source: 'registry', ...PROVIDER_VERSIONS },
};

/**
 * Reads the findings of the toolchain step, or {@link registryToolchain} where it never ran.
 *
 * @throws UsageError if another version of this project found them: what the stacks declare needs other providers
 */
export function readToolchain(file: string = toolchainFile): Toolchain {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return registryToolchain;
    throw error;
  }
  const found = toolchainSchema.parse(JSON.parse(text));
  const { source, docker, vault } = found.providers;
  const mirrored = docker === PROVIDER_VERSIONS.docker && vault === PROVIDER_VERSIONS.vault;
  if (Number(vault.split('.')[0]) < 5 || (source === 'mirror' && !mirrored)) {
    throw new UsageError(
      `${file} is from another version of this project: its providers are docker ${docker} and vault ${vault}, not ${PROVIDER_VERSIONS.docker} and ${PROVIDER_VERSIONS.vault}`,
      'run ./scripts/toolchain; nothing was changed',
    );
  }
  return found;
}
