/** What the toolchain step leaves in the clone, for the CDKTF app, the shim and people. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { type Toolchain, toolchainFile, toolchainSchema } from '../../config/toolchain';
import { writeFileAtomically } from '../lib/files';

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
  const images = findings.images ?? imagesOf(old);
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
  const exist = images !== undefined && Object.values(images).every(({ context }) => existsSync(context));
  return exist ? images : undefined;
}
