/** MinIO as others build it, to see red what the guard keeps green: an image of ours with such a program in it. */
import type Docker from 'dockerode';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cacheLayout } from '../../../operations/toolchain/cache';
import { buildProgram } from '../../../operations/toolchain/go/go-build';
import { unguardedMinio } from '../../../operations/toolchain/go/programs';
import { buildImage } from '../../../operations/toolchain/images/push-images';

/**
 * @param from the image of MinIO that it is otherwise
 * @param program where the program without the guard is
 */
export async function buildUnguardedImage(docker: Docker, tag: string, from: string, program: string): Promise<void> {
  const context = mkdtempSync(path.join(tmpdir(), 'ebs-unguarded-'));
  try {
    copyFileSync(await buildProgram(cacheLayout(), unguardedMinio), path.join(context, 'minio'));
    writeFileSync(path.join(context, 'Dockerfile'), `FROM ${from}\nCOPY minio ${program}\n`);
    await buildImage(docker, tag, { context });
  } finally {
    rmSync(context, { recursive: true });
  }
}
