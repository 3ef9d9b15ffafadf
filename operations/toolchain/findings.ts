/**
 * What the toolchain step leaves in the clone, for the CDKTF app, the shim and people.
 *
 * `./scripts/up` (and `./scripts/toolchain`) writes `.toolchain/toolchain.json`; the CDKTF app is told what is in it.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { PROVIDER_VERSIONS } from '../../config/provider-versions';
import { type Toolchain, toolchainSchema } from '../../config/toolchain';
import { UsageError } from '../lib/errors';
import { writeFileAtomically } from '../lib/files';
import { projectRoot } from '../lib/project-root';

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

/** The client `mc`, for the people and tests of this clone. */
const MC_LINK = path.join(path.dirname(toolchainFile), 'bin', 'mc');

/** The `mc` that was built here, where that was done. */
export function builtMc(): string | undefined {
  return existsSync(MC_LINK) ? MC_LINK : undefined;
}

/** Lets `.toolchain/bin/mc` be the `mc` that was built. */
export function linkMc(binary: string): void {
  mkdirSync(path.dirname(MC_LINK), { recursive: true });
  const temporary = `${MC_LINK}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  symlinkSync(binary, temporary);
  renameSync(temporary, MC_LINK);
}

/**
 * Writes `.toolchain/toolchain.json`, but not where it says the same already.
 *
 * Image contexts that an earlier run made for another environment of this clone are kept as long as they exist: this
 * environment does not use them, the other one does.
 */
export function writeFindings(findings: Toolchain, file: string = toolchainFile): void {
  const old = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const earlier = imagesOf(old);
  const images = findings.images === undefined ? earlier : { ...earlier, ...findings.images };
  const text = `${JSON.stringify({ ...(images !== undefined && { images }), providers: findings.providers }, null, 2)}\n`;
  if (text !== old) writeFileAtomically(file, text, 0o644);
}

function imagesOf(text: string): Toolchain['images'] {
  let images: Toolchain['images'];
  try {
    images = toolchainSchema.parse(JSON.parse(text)).images;
  } catch {
    // none, or of another version of this project
  }
  const exist =
    images !== undefined && Object.values(images).every((image) => image === undefined || existsSync(image.context));
  return exist ? images : undefined;
}
