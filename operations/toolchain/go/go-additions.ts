/** Go files of our own that are compiled beside the sources of a pinned module, no line of which is changed. */
import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { ExternalError } from '../../lib/errors';
import { capture, run, type RunOptions } from '../../lib/command';

/** Where the files are, and which module they join. */
export interface GoAdditions {
  /** Path of the module, as `go.mod` requires it. */
  readonly module: string;
  /** Folder whose subfolders are those of the module. Its tests and its own go.mod stay out of the build. */
  readonly folder: string;
}

/** Paths of the files that are compiled, relative to the folder, sorted. */
async function additionFiles({ folder }: GoAdditions): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('go.') && !entry.name.endsWith('_test.go'))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.split(path.sep).includes('testdata'))
    .sort();
}

/**
 * Copies the pinned module and the files into `work` and returns the folder to build in: its go.mod says that the copy
 * replaces the module. go.sum goes on to check every other module, and `go mod download` has checked this one.
 */
export async function moduleWithAdditions(
  additions: GoAdditions,
  main: string,
  work: string,
  go: string,
  options: RunOptions,
): Promise<string> {
  await run(go, ['mod', 'download', additions.module], { ...options, cwd: main });
  const printed = capture(go, ['list', '-m', '-json', additions.module], {
    cwd: main,
    ...(options.env && { env: options.env }),
  });
  const { Dir } = z.object({ Dir: z.string() }).parse(JSON.parse(printed ?? '{}'));
  const copy = path.join(work, 'module');
  await copyTree(Dir, copy);
  for (const file of await additionFiles(additions)) {
    const target = path.join(copy, file);
    await mkdir(path.dirname(target), { recursive: true });
    try {
      await copyFile(path.join(additions.folder, file), target, constants.COPYFILE_EXCL);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new ExternalError(`${additions.module} has a file ${file} of its own, which ours would replace`);
    }
  }
  const folder = path.join(work, 'main');
  await mkdir(folder);
  for (const file of ['go.mod', 'go.sum']) await copyFile(path.join(main, file), path.join(folder, file));
  await run(go, ['mod', 'edit', '-replace', `${additions.module}=../module`], { ...options, cwd: folder });
  return folder;
}

/** The contents of the files, for the key of the build cache. */
export async function additionContents(additions: GoAdditions): Promise<[file: string, content: Buffer][]> {
  const files = await additionFiles(additions);
  return Promise.all(
    files.map(async (file): Promise<[string, Buffer]> => [file, await readFile(path.join(additions.folder, file))]),
  );
}

/** Folders of the module cache are read-only, and only root could add to a plain copy, or remove it. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) await copyTree(source, target);
    else if (!entry.name.endsWith('_test.go')) await copyFile(source, target);
  }
}
