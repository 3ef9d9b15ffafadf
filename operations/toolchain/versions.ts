/** What is deployed of each program. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Environment } from '../../config/environment';
import { projectRoot } from '../lib/project-root';
import { kes, mc, minio, vault } from './go/programs';

/** Version of this project, and for each program the pinned module, or the image that was pulled. */
export function versionsOf({ images }: Pick<Environment, 'images'>): Record<string, string> {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8')));
  if (images.source === 'registry') {
    const { kes: kesImage, minio: minioImage, vault: vaultImage } = images;
    return {
      toolkit: version,
      kes: kesImage,
      minio: minioImage,
      ...(vaultImage === undefined ? {} : { vault: vaultImage }),
    };
  }
  const programs = [vault, kes, minio, mc].map((program) => [
    program.name,
    moduleVersion(program.module, program.package),
  ]);
  return { toolkit: version, ...(Object.fromEntries(programs) as Record<string, string>) };
}

/** The version that a go.mod requires of the module that a package is in. */
function moduleVersion(folder: string, goPackage: string): string {
  const lines = readFileSync(path.join(folder, 'go.mod'), 'utf8').split('\n');
  const required = lines
    .map((line) => /^\s*(?:require )?(\S+) (v\S+)/.exec(line))
    .find((match) => {
      const name = match?.[1];
      return name !== undefined && (goPackage === name || goPackage.startsWith(`${name}/`));
    });
  return required?.[2] ?? 'unknown';
}
